"""Opponents by a rule or a script, and several teams that learn."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.api.run import Run, load
from marl_core.api.training import train
from marl_core.config.yaml_file import load_run
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_envs.adapters.config import PettingZooConfig
from marl_envs.adapters.environment import PettingZoo
from tests.support.duel import BLUES, REDS, ROUNDS
from tests.support.duels import DUEL, blues, built, duel, frozen, run_data

TEAMS = {"team": "", "teams": ["red", "blue"]}


def script(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": f"{DUEL}:{name}", **changes}


def played(config: PettingZooConfig, seed: int = 0, games: int = 3) -> list[Any]:
    """What everybody did in each game, by actions of the reds that do not depend on anything."""
    environment = built(config, games=games, seed=seed)
    choice = torch.Generator().manual_seed(1)
    environment.reset()
    for _ in range(ROUNDS):
        shape = (games, environment.spec.agents)
        environment.step(torch.randint(3, shape, generator=choice))
    return taken(environment)


def taken(environment: PettingZoo) -> list[Any]:
    """What everybody has done in each game of an environment."""
    games: Any = environment._players
    return [game._env.taken for game in games._games]


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(duel(opponents=[script("any_legal")]), id="script"),
        pytest.param(
            duel(**TEAMS, kwargs={"equal": True}, reward="team"), id="self_play"
        ),
    ],
)
def test_it_keeps_the_rules(config: PettingZooConfig, check: str) -> None:
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(PettingZoo, config), "cpu"))


def test_a_script_draws_by_the_games_seed() -> None:
    config = duel(opponents=[script("any_legal")])
    assert played(config) == played(config)
    assert played(config) != played(config, seed=1)
    first, second, _ = played(config)
    assert [one["blue_0"] for one in first] != [one["blue_0"] for one in second]


def test_a_scripts_class_remembers_one_game() -> None:
    environment = built(duel(opponents=[script("Counting")]), games=2)
    environment.reset()
    nothing = torch.zeros(2, 2, dtype=torch.int64)
    for _ in range(2):
        environment.step(nothing)
    environment.reset(torch.tensor([True, False]))
    environment.step(nothing)
    new, old = taken(environment)
    assert [one["blue_0"] for one in new] == [0]
    assert [one["blue_0"] for one in old] == [0, 1, 2]


def test_each_part_of_the_others_has_a_player_of_its_own() -> None:
    """Beside a script for one of them, the others stay random; the first who is named counts."""
    described = [script("Counting", team="blue_0"), {"name": "idle", "team": "blue_1"}]
    (taken,) = played(duel(opponents=described), games=1)
    assert [one["blue_0"] for one in taken] == [0, 1, 2, 0, 1]
    # The first legal one: after 0, that is 1.
    assert [one["blue_1"] for one in taken] == [0, 1, 0, 1, 0]
    alone = [script("Counting", team="blue_0")]
    games = played(duel(opponents=alone), games=40)
    shown = {one["blue_1"] for taken in games for one in taken}
    assert shown == {0, 1, 2, 3}
    both = [script("Counting"), {"name": "idle"}]
    with pytest.raises(UserError, match=r"'idle' would play nobody: .* \(left are: n"):
        duel(opponents=both).spec()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_random_ones_are_drawn_as_ever(seed: int) -> None:
    """Saying what is so by default changes no draw."""
    said = played(duel(opponents=[{"name": "random"}]), seed, games=1)
    assert said == played(duel(), seed, games=1)


def two_steps(environment: PettingZoo) -> None:
    for _ in range(2):
        environment.step(torch.zeros(3, 2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("says_nothing", "it gives a NoneType, not each agent's action by its name"),
        ("forgets_one", "it was asked for blue_0, blue_1 and says blue_1"),
        ("goes_too_far", "it has blue_0 do 7, which is not in Discrete(4)"),
        ("is_stubborn", "it has blue_0 do 1, which is not legal now"),
        ("stumbles", "KeyError: 'green_0' ("),
    ],
)
@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_nonsense_is_one_line(name: str, told: str, workers: int) -> None:
    environment = built(duel(opponents=[script(name)], workers=workers))
    environment.reset()
    with pytest.raises(UserError) as caught:
        two_steps(environment)
    environment.close()
    assert str(caught.value).startswith(f"opponents '{DUEL}:{name}': {told}")
    assert "\n" not in str(caught.value)


CONFIG = """\
environment:
  name: pettingzoo
  id: tests.support.duel
  team: red
  opponents:
    - OPPONENT
host: {name: ppo_ma}
exploration: {name: entropy_sampling}
stages: [{episodes: 8}]
training: {episodes_per_update: 8, evaluation_episodes: 4, tensorboard: false}
"""


@pytest.mark.parametrize(
    ("opponent", "told"),
    [
        ("{name: idel}", ".name: unknown opponents 'idel', did you mean 'idle'?"),
        (
            "{name: bots}",
            ".name: unknown opponents 'bots' (known: random, idle, frozen, "
            "module:function)",
        ),
        ("{name: frozen}", ": 'frozen' needs the folder of a run"),
        ("{name: idle, run: a}", ".run: only 'frozen' opponents have a run"),
        (
            f"{{name: '{DUEL}:any_leagl'}}",
            f".name: opponents '{DUEL}:any_leagl': the module has no 'any_leagl', "
            "did you mean 'any_legal'?",
        ),
        (
            f"{{name: '{DUEL}:NOT_A_FUNCTION'}}",
            f".name: opponents '{DUEL}:NOT_A_FUNCTION': that is no function",
        ),
        (
            "{name: 'no_such:bots'}",
            ".name: opponents 'no_such:bots' cannot be imported: "
            "ModuleNotFoundError: No module named 'no_such'",
        ),
    ],
)
def test_mistakes_are_told_with_their_line(
    opponent: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(CONFIG.replace("OPPONENT", opponent))
    with pytest.raises(UserError) as caught:
        load_run(file)
    assert str(caught.value) == f"{file}:6: environment.opponents.0{told}"


def test_team_and_teams_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="either 'team' or 'teams' says who learns"):
        duel(teams=["red", "blue"])


def test_a_scripts_run_is_loaded_on_ones_word_alone(tmp_path: Path) -> None:
    """A script is code that a folder names: it is not called, nor imported, without trust."""
    data = run_data(opponents=[script("any_legal")])
    run = train(data, out=tmp_path / "run", progress=False)
    for trusted in (run, load(run.path, trust=True)):
        assert trusted.policy().make_environment().reset() is not None
    with pytest.raises(UserError, match="needs your word: --trust"):
        load(run.path)
    as_data = RunFolder(run.path).read_config().environment
    assert isinstance(as_data, PettingZooConfig)
    with pytest.raises(UserError, match="has not been looked at: it is code"):
        as_data.maker()


def test_a_script_beside_the_config_is_found_and_remembered(tmp_path: Path) -> None:
    """Also by processes that play, and by whoever takes up the run from elsewhere."""
    source = """
def bots(seen, legal, generator):
    return {name: int(mask.argmax()) for name, mask in legal.items()}
"""
    (tmp_path / "my_bots.py").write_text(source)
    file = tmp_path / "run.yaml"
    text = CONFIG.replace("OPPONENT", "{name: 'my_bots:bots'}")
    file.write_text(text)
    run = train(file, out=tmp_path / "run", progress=False)
    config = run.config.environment
    assert isinstance(config, PettingZooConfig)
    elsewhere = built(config.model_copy(update={"workers": 1}), games=1)
    elsewhere.reset()
    elsewhere.step(torch.zeros(1, 2, dtype=torch.int64))
    elsewhere.close()
    (tmp_path / "my_bots.py").write_text(source.replace("argmax", "argmin"))
    try:
        with pytest.raises(UserError, match=r"my_bots\.py is not what it was"):
            load(run.path, trust=True).resume()
    finally:
        sys.modules.pop("my_bots", None)


def test_a_frozen_runs_code_needs_a_word_of_its_own(tmp_path: Path) -> None:
    """A folder cannot say of another folder that it be trusted."""
    opponents = blues(tmp_path / "blues", "mlp")
    data = run_data(opponents=[frozen(opponents, trust=True)])
    run = train(data, out=tmp_path / "reds", progress=False)
    with pytest.raises(UserError, match="needs your word: --trust"):
        load(run.path)
    assert isinstance(load(run.path, trust=True), Run)


def test_agents_of_several_teams_learn_from_their_own_rewards_or_their_teams() -> None:
    own, team = (duel(**TEAMS, reward=reward) for reward in ("own", "team"))
    assert own.spec().teams == team.spec().teams == (0, 0, 1, 1)
    assert duel().spec().teams is None
    earned: list[Tensor] = []
    for config in (own, team):
        environment = built(config)
        environment.reset()
        result = environment.step(torch.tensor([[0, 2, 1, 0]] * 3))
        assert result.individual_reward is not None
        earned.append(result.individual_reward)
    by_team = earned[0].view(3, 2, 2).mean(-1, keepdim=True).expand(3, 2, 2)
    assert torch.equal(earned[1], by_team.reshape(3, 4))
    # Reds have shown 2 together, blues 1.
    assert earned[0][0].tolist() == [1.0, 1.5, -0.75, -1.0]


@pytest.mark.parametrize("names", [[*REDS, *BLUES], [*BLUES, *REDS]])
def test_teams_are_numbered_as_they_are_named(names: list[str]) -> None:
    config = duel(team="", teams=names)
    assert config.spec().teams == tuple(names.index(one) for one in [*REDS, *BLUES])
