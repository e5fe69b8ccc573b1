"""Opponents that are frozen runs: they act as the run's own policy does, in all games at once."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.api.run import Run
from marl_core.api.training import train
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_core.types import Observation
from marl_envs.adapters.environment import AdaptedEnvironment, PettingZoo
from tests.support.duel import BLUES, REDS, ROUNDS
from tests.support.duels import blues, built, duel, frozen, run_data
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, start

#: Enough for frequencies that are off by less than 0.09, of one agent.
GAMES = 600


@pytest.fixture(scope="module", params=["mlp", "gru", "qmix"])
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return blues(tmp_path_factory.mktemp("blues") / request.param, request.param)


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return blues(tmp_path_factory.mktemp("blues") / "gru", "gru")


def against(run: Run, **changes: Any) -> dict[str, Any]:
    return {"opponents": [frozen(run, **changes)]}


def taken(environment: PettingZoo) -> list[list[dict[str, Any]]]:
    """What everybody has done in each game since it began."""
    return [game._env.taken for game in environment._players._games]  # type: ignore[attr-defined]


def seen_by_blues(environment: PettingZoo) -> Observation:
    (rows,) = environment._players.rows.frozen
    return Observation(
        torch.tensor(rows.features),
        action_mask=torch.tensor(rows.legal),
        alive=torch.tensor(rows.alive),
    )


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_it_keeps_the_rules(recurrent: Run, check: str) -> None:
    config = duel(**against(recurrent, mode="sampled"))
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(PettingZoo, config), "cpu"))


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    again=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_it_acts_as_the_runs_policy_does(
    run: Run, seed: int, again: list[bool]
) -> None:
    """Greedily, with a memory that is forgotten where a game is started anew, and only there."""
    environment = built(duel(**against(run)), games=4, seed=seed)
    policy = run.policy("greedy")
    choice = torch.Generator().manual_seed(seed)
    environment.reset()
    policy.begin()
    for step in range(2 * ROUNDS):
        if step == 2:
            mask = torch.tensor(again)
            environment.reset(mask)
            policy.begin(mask)
        on = ~torch.tensor(environment._players.rows.truncated[:, 0])
        expected = policy(seen_by_blues(environment))
        environment.step(torch.randint(3, (4, 2), generator=choice))
        for game in on.nonzero().flatten().tolist():
            did = taken(environment)[game][-1]
            assert [did[name] for name in BLUES] == expected[game].tolist()


@pytest.mark.parametrize("host", ["mlp", "gru"])
@pytest.mark.parametrize("side", [BLUES, REDS])
def test_a_run_of_several_teams_plays_any_of_them(
    side: tuple[str, ...], host: str, tmp_path: Path
) -> None:
    """As it does in its own games, where it sees the same: the other team's actions are copied."""
    teams = {"team": "", "teams": ["red", "blue"]}
    both = train(run_data(host, **teams), out=tmp_path / "both", progress=False)
    other = BLUES if side == REDS else REDS
    config = duel(team=other[0][:-2], opponents=[frozen(both)])
    against_it = built(config, games=4)
    own = built(duel(**teams), games=4)
    policy = both.policy("greedy")
    against_it.reset()
    policy.begin()
    seen = own.reset()
    theirs = [[*REDS, *BLUES].index(name) for name in other]
    choice = torch.Generator().manual_seed(0)
    for _ in range(ROUNDS):
        actions = policy(seen)
        assert seen.action_mask is not None
        legal = seen.action_mask[:, theirs].float().flatten(0, 1)
        drawn = torch.multinomial(legal, 1, generator=choice).view(4, 2)
        actions[:, theirs] = drawn
        seen = own.step(actions).observation
        against_it.step(drawn)
        did, alike = taken(against_it), taken(own)
        for game in range(4):
            assert [did[game][-1].get(name) for name in side] == [
                alike[game][-1].get(name) for name in side
            ]


def frequencies(run: Run, mode: str) -> Tensor:
    """How often the blues show each number at first, ``[N, A]``."""
    environment = built(duel(**against(run, mode=mode)), games=GAMES)
    environment.reset()
    environment.step(torch.zeros(GAMES, 2, dtype=torch.int64))
    rows = torch.tensor(environment._players.rows.frozen[0].actions)
    return torch.nn.functional.one_hot(rows, 4).double().mean(0)


def test_sampled_ones_draw_from_their_own_policies(recurrent: Run) -> None:
    """Against the mean of the policies themselves over the same number of games."""
    environment = built(duel(**against(recurrent)), games=GAMES)
    environment.reset()
    seen = seen_by_blues(environment)
    state = recurrent.policy().state
    with torch.no_grad():
        scores, _ = state.host.scores(seen, state.host.initial_memory(GAMES))
        legal = seen.legal_actions()
        own = state.exploration.individual.log_policy(scores, legal, state.progress)
    expected = own.exp().double().mean(0)
    assert (frequencies(recurrent, "sampled") - expected).abs().max() < 0.09
    assert (frequencies(recurrent, "greedy") - expected).abs().max() > 0.1


def steps(environment: PettingZoo, count: int = ROUNDS) -> list[dict[str, Tensor]]:
    choice = torch.Generator().manual_seed(1)
    played = [environment.reset().tensors()]
    for _ in range(count):
        actions = torch.randint(3, (3, 2), generator=choice)
        result = environment.step(actions)
        ends = {"terminated": result.terminated, "truncated": result.truncated}
        played.append({**result.observation.tensors(), **ends})
    return played


@pytest.mark.parametrize("workers", [1, 2])
def test_games_do_not_depend_on_how_many_processes_play_them(
    recurrent: Run, workers: int
) -> None:
    described = against(recurrent, mode="sampled")
    here = steps(built(duel(**described)))
    there = built(duel(workers=workers, **described))
    try:
        for one, other in zip(steps(there), here, strict=True):
            assert all(torch.equal(value, other[name]) for name, value in one.items())
    finally:
        there.close()


def test_an_interrupted_run_ends_as_if_it_had_never_been(
    recurrent: Run, tmp_path: Path
) -> None:
    data = run_data("mlp", **against(recurrent, mode="sampled"))
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crash = (AdaptedEnvironment, "step", 2 * ROUNDS + 3, True)
    parts = interrupted(tmp_path / "parts", data, crash)
    assert differences(outcome(parts), outcome(whole)) == []


def test_a_run_that_learns_on_is_not_frozen(tmp_path: Path) -> None:
    """The run against it remembers which checkpoint it began against, and refuses any other."""
    opponents = blues(tmp_path / "blues", "mlp")
    data = run_data("mlp", opponents=[frozen(opponents)])
    folder = start(tmp_path / "reds", data)
    before = folder.load_config().environment.model_dump()["opponents"][0]
    assert before["checkpoint"]
    longer = opponents.extend(stages=[{"episodes": 8}], out=tmp_path / "longer")
    checkpoint = RunFolder(opponents.path).checkpoint
    checkpoint.write_bytes(RunFolder(longer.path).checkpoint.read_bytes())
    with pytest.raises(UserError) as caught:
        go_on(folder)
    place = "environment.opponents.0: "
    told = f"{opponents.path}: its newest checkpoint is not the one that this run began"
    assert str(caught.value).startswith(place + told)
    assert "\n" not in str(caught.value)


def test_opponents_may_have_had_opponents_that_are_gone(tmp_path: Path) -> None:
    first = blues(tmp_path / "first", "mlp")
    reds = start(tmp_path / "reds", run_data("mlp", opponents=[frozen(first)]))
    go_on(reds)
    (first.path / "config.yaml").unlink()
    config = duel(team="blue", opponents=[frozen(reds.path)])
    environment = built(config)
    environment.reset()
    environment.step(torch.zeros(3, 2, dtype=torch.int64))


def test_opponents_may_have_had_scripts_for_opponents(tmp_path: Path) -> None:
    """Their code is not needed to act, and so nobody has to trust it."""
    script = {"name": "tests.support.duel:any_legal"}
    first = blues(tmp_path / "first", "mlp", opponents=[script])
    environment = built(duel(opponents=[frozen(first)]))
    environment.reset()
    environment.step(torch.zeros(3, 2, dtype=torch.int64))


def test_runs_that_do_not_fit_are_told_with_what_they_have_and_what_is_needed(
    recurrent: Run, tmp_path: Path
) -> None:
    unfinished = start(tmp_path / "begun", run_data("mlp", team="blue"))
    cases = [
        (
            duel(team="blue", opponents=[frozen(recurrent)]),
            f"{recurrent.path} has learnt with 7 features of an observation, and "
            "red_0 and the others like it need 6",
        ),
        (
            duel(team="red_", opponents=[frozen(recurrent, team="blue_1")]),
            f"{recurrent.path} has learnt with 2 agents, and blue_1 need 1",
        ),
        (
            duel(opponents=[frozen(tmp_path / "nowhere")]),
            f"{tmp_path / 'nowhere'}: no run here: there is no config.yaml",
        ),
        (
            duel(opponents=[frozen(unfinished.path)]),
            f"{unfinished.path}: there is no checkpoint yet",
        ),
    ]
    for config, told in cases:
        with pytest.raises(UserError) as caught:
            config.spec()
        assert str(caught.value) == f"environment.opponents.0: {told}"


def test_processes_that_play_against_a_frozen_run_need_no_torch(recurrent: Run) -> None:
    """What a worker is sent makes a game without torch."""
    maker = pickle.dumps(duel(**against(recurrent)).maker())
    program = f"""
import pickle, sys
pickle.loads({maker!r})()
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
