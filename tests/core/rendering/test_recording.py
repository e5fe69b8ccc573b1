"""Recorded episodes: whole, reproducible, and true to the policies."""

from __future__ import annotations

import pytest
import torch

from marl_core.config.run import RunConfig
from marl_core.rendering import Mode
from marl_envs.adca import ADCA
from tests.support.episodes import MODES, adca_data, battle, lesson


@pytest.mark.parametrize("mode", MODES)
def test_an_episode_is_whole(mode: Mode) -> None:
    _, episode = battle(mode)
    steps = episode.steps
    assert 0 < steps <= 90
    assert len(episode.states) == steps + 1
    assert [int(state["clock"]) for state in episode.states] == list(range(steps + 1))
    assert episode.policies.shape == (steps, 6, 7)
    torch.testing.assert_close(episode.policies.sum(-1), torch.ones(steps, 6))
    assert episode.terminated.tolist() == [False] * (steps - 1) + [True]
    assert not episode.truncated.any()
    torch.testing.assert_close(episode.reward.mean(-1), episode.team_reward)
    assert torch.equal(
        episode.alive,
        torch.stack([state["alive"][0, :6] for state in episode.states[:-1]]),
    )
    assert not episode.actions[~episode.alive].any()


def test_states_and_actions_give_the_next_states() -> None:
    """Stepped again from each recorded state, the battle goes the same way."""
    _, episode = battle("sampled")
    run = RunConfig.model_validate(adca_data())
    replayed = ADCA(run.environment, games=1, device="cpu", generator=torch.Generator())  # type: ignore[arg-type]
    for before, actions, after in zip(
        episode.states[:-1], episode.actions, episode.states[1:], strict=True
    ):
        replayed.load_state_dict(before)
        replayed.step(actions.unsqueeze(0))
        assert all(
            torch.equal(value, after[name])
            for name, value in replayed.state_dict().items()
        )


def test_greedy_actions_are_the_policys_argmax() -> None:
    for episode in (lesson()[1], battle()[1]):
        best = episode.policies.argmax(-1)
        assert torch.equal(episode.actions[episode.alive], best[episode.alive])
        assert episode.component_names == ()
        assert not episode.component.any()


def test_sampled_actions_follow_the_policies() -> None:
    episodes = [lesson("sampled", seed)[1] for seed in range(150)]
    policies = episodes[0].policies
    assert all(torch.equal(episode.policies, policies) for episode in episodes)
    actions = torch.stack([episode.actions for episode in episodes])
    frequencies = (
        torch.nn.functional.one_hot(actions, policies.shape[-1]).double().mean(0)
    )
    assert (frequencies - policies).abs().max() < 5 * 0.5 / 150**0.5
    assert (frequencies - policies).abs().mean() < 0.02


@pytest.mark.parametrize("level", ["episode", "step"])
def test_resonance_shows_as_often_as_eta_says(level: str) -> None:
    """In training the team resonates with probability 0.75, and then acts greedily."""
    episodes = [lesson("training", seed, level)[1] for seed in range(120)]
    drawn = torch.stack([episode.component for episode in episodes])
    coins = drawn[:, 0] if level == "episode" else drawn.flatten()
    assert (
        abs(float(coins.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / len(coins)) ** 0.5
    )
    assert bool((drawn == drawn[:, :1]).all()) == (level == "episode")
    greedy = torch.stack(
        [
            (episode.actions == episode.policies.argmax(-1)).all(-1)
            for episode in episodes
        ]
    )
    assert greedy[drawn == 1].all()
    assert not greedy[drawn == 0].all()
    assert episodes[0].component_names == ("not in resonance", "in resonance")


def test_equal_seeds_begin_alike_in_all_modes_and_others_do_not() -> None:
    starts = [battle(mode, max_steps=2)[1].states[0] for mode in MODES]
    assert all(
        torch.equal(state["position"], starts[0]["position"]) for state in starts
    )
    other = battle(seed=1, max_steps=2)[1].states[0]
    assert not torch.equal(other["position"], starts[0]["position"])
