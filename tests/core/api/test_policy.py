"""A policy that acts step by step is the policy that is evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from marl_core import Run, UserError, train
from marl_core.observation_table import look_up, table_of
from tests.support.runs import run_data


@pytest.fixture(scope="module")
def fme(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("fme") / "run"
    return train(run_data("pr", (3, 2)), out=path, progress=False)


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A host with a memory, in games that end at different times."""
    path = tmp_path_factory.mktemp("practice") / "run"
    return train(run_data("pr", (1, 1), "conc4hist"), out=path, progress=False)


def play(run: Run, mode: str = "greedy", seed: int = 0, games: int = 8) -> Tensor:
    """The returns of some games."""
    policy = run.policy(mode)  # type: ignore[arg-type]
    env = policy.make_environment(games, seed)
    observation = env.reset()
    earned = torch.zeros(games)
    while not env.all_done:
        observation, reward, _ = env.step(policy(observation))
        earned += reward
    return earned


def test_greedy_actions_are_the_most_probable_ones(fme: Run) -> None:
    policy = fme.policy("greedy")
    env = policy.make_environment(games=3)
    table = table_of(env.environment)
    assert table is not None
    individual = policy.state.exploration.individual
    with torch.no_grad():
        scores, _ = policy.state.host.scores(table, {})
        law = individual.log_policy(scores, None, policy.state.progress)
    observation = env.reset()
    assert observation.features is not None, "the table is written out"
    for level in range(env.spec.max_steps):
        actions = policy(observation)
        assert torch.equal(actions, law[level].argmax(-1).expand(3, -1))
        observation, _, _ = env.step(actions)
    assert env.all_done


def test_a_policy_looks_rows_up_by_itself(fme: Run) -> None:
    policy = fme.policy("greedy")
    env = policy.make_environment(games=2)
    rows = env.environment.reset()
    table = table_of(env.environment)
    assert table is not None
    assert rows.features is None
    assert torch.equal(policy(rows), policy(look_up(rows, table)))
    fresh = fme.policy("greedy")
    assert torch.equal(fresh(rows), policy(rows))


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_equal_seeds_give_equal_games(remembering: Run, mode: str) -> None:
    one, same, other = (play(remembering, mode, seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_sampled_actions_follow_the_individual_policy(fme: Run) -> None:
    """Nothing is shared: the coupling of the last stage would make agents act alike."""
    games = 4000
    policy = fme.policy("sampled")
    env = policy.make_environment(games)
    observation = env.reset()
    actions = policy(observation)
    table = table_of(env.environment)
    assert table is not None
    individual = policy.state.exploration.individual
    with torch.no_grad():
        scores, _ = policy.state.host.scores(table, {})
        law = individual.log_policy(scores, None, policy.state.progress).exp()[0]
    shares = torch.nn.functional.one_hot(actions, env.spec.actions).float().mean(0)
    torch.testing.assert_close(shares, law, rtol=0, atol=0.04)


def test_memory_is_per_game_and_forgotten_with_the_game(remembering: Run) -> None:
    """A game that is started anew is played as by a policy that never saw the one before."""
    policy = remembering.policy("greedy")
    env = policy.make_environment(games=2)
    observation = env.reset()
    for _ in range(3):
        observation, _, _ = env.step(policy(observation))
    assert policy._memory is not None
    before = {name: value.clone() for name, value in policy._memory.items()}
    env.reset(torch.tensor([True, False]))
    fresh = policy.state.host.initial_memory(2)
    assert policy._memory is not None
    for name, value in policy._memory.items():
        assert torch.equal(value[0], fresh[name][0])
        assert torch.equal(value[1], before[name][1])
    assert any(not torch.equal(before[n][0], fresh[n][0]) for n in fresh)


def test_a_policy_that_remembers_acts_in_one_set_of_games(remembering: Run) -> None:
    policy = remembering.policy("greedy")
    first = policy.make_environment(games=2)
    second = policy.make_environment(games=2)
    policy(first.reset())
    policy(second.reset())
    with pytest.raises(UserError, match="remembers other games"):
        first.reset(torch.tensor([True, False]))


def test_games_that_have_ended_earn_nothing_and_the_dead_do_nothing(
    remembering: Run,
) -> None:
    policy = remembering.policy("sampled")
    env = policy.make_environment(games=64)
    observation = env.reset()
    some_died = False
    while not env.all_done:
        ended = env.done.clone()
        actions = policy(observation)
        alive = observation.alive
        assert alive is not None
        assert (actions[~alive] == 0).all()
        some_died |= bool((~alive).any())
        observation, reward, done = env.step(actions)
        assert (reward[ended] == 0).all()
        assert (done | ~ended).all(), "a game that has ended stays so"
    assert some_died
    assert env.last is not None
    env.close()


def test_a_run_without_a_checkpoint_has_no_policy(fme: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text((fme.path / "config.yaml").read_text())
    with pytest.raises(UserError, match="no checkpoint yet"):
        Run(tmp_path).policy()
