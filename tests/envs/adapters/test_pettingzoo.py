"""Any parallel environment of PettingZoo, seen by the kernel as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from marl_core.errors import UserError
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_core.types import Observation, StepResult
from marl_envs.adapters.config import PettingZooConfig
from marl_envs.adapters.environment import AdaptedEnvironment, PettingZoo
from tests.support.command import Command
from tests.support.market_day import EARLY, HOURS, LATE, STEADY, Market
from tests.support.places import REPOSITORY
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, start

MARKET = "tests.support:market_day"
SPREAD = "mpe2:simple_spread_v3"
AGENTS = [LATE, EARLY, STEADY]
#: The number of each agent's actions.
COUNTS = [6, 2, 3]
GONE = 1


def market(**changes: Any) -> PettingZooConfig:
    described = {"id": MARKET, "team": "trader", "state": "own", **changes}
    return PettingZooConfig.model_validate(described)


def built(config: PettingZooConfig, games: int = 3, seed: int = 0) -> PettingZoo:
    generator = torch.Generator().manual_seed(seed)
    return PettingZoo(config, games=games, device="cpu", generator=generator)


def steps(
    environment: PettingZoo, seed: int, count: int = HOURS
) -> list[Observation | StepResult]:
    """A trajectory by actions that do not depend on what is seen."""
    choice = torch.Generator().manual_seed(seed)
    spec = environment.spec
    shape = (count, len(environment.reset().tensors()["features"]), spec.agents)
    actions = torch.randint(spec.actions, shape, generator=choice)
    return [environment.reset(), *(environment.step(one) for one in actions)]


def same(one: Observation | StepResult, other: Observation | StepResult) -> bool:
    if isinstance(one, StepResult) and isinstance(other, StepResult):
        if not same(one.observation, other.observation):
            return False
        names = ("team_reward", "individual_reward", "terminated", "truncated")
        pairs = [(getattr(one, name), getattr(other, name)) for name in names]
        return all(left is right or torch.equal(left, right) for left, right in pairs)
    assert isinstance(one, Observation)
    assert isinstance(other, Observation)
    left, right = one.tensors(), other.tensors()
    return left.keys() == right.keys() and all(
        torch.equal(value, right[name]) for name, value in left.items()
    )


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(market(), id="market"),
        pytest.param(market(reward="team", rebuild=True), id="rebuilt"),
        pytest.param(PettingZooConfig(id=SPREAD), id="spread", marks=pytest.mark.slow),
    ],
)
def test_it_keeps_the_rules(config: PettingZooConfig, check: str) -> None:
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(PettingZoo, config), "cpu"))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), data=st.data())
def test_a_game_is_the_bare_game(seed: int, data: st.DataObject) -> None:
    """Beside the environment stepped by hand: what is seen, legal, earned, and how it ends."""
    environment = built(market(opponents=[{"name": "idle"}]), games=1, seed=seed)
    observation = environment.reset()
    bare = Market()
    generator = torch.Generator().manual_seed(seed)
    seen, _ = bare.reset(int(torch.randint(2**31, (1,), generator=generator)))
    while True:
        check_seen(observation, bare, seen)
        assert observation.state is not None
        assert observation.state[0].tolist() == pytest.approx(bare.state(), rel=1e-6)
        drawn = [data.draw(st.integers(0, count - 1)) for count in COUNTS]
        result = environment.step(torch.tensor([drawn]))
        late = np.array(divmod(drawn[0], 3))
        by_name = {LATE: late, EARLY: drawn[1], STEADY: 5 + drawn[2]}
        actions = {name: by_name.get(name) for name in bare.agents}
        actions["thief"] = np.zeros(2, np.float32)
        seen, rewards, _, cut, _ = bare.step(actions)
        assert result.individual_reward is not None
        expected = [rewards.get(name, 0.0) for name in AGENTS]
        assert result.individual_reward[0].tolist() == pytest.approx(expected, rel=1e-6)
        assert float(result.team_reward) == pytest.approx(np.mean(expected), rel=1e-6)
        observation = result.observation
        assert bool(result.truncated) == any(cut.values())
        assert not result.terminated
        if bool(result.truncated):
            break
    # Whoever was cut off sees for the last time, so that values can be bootstrapped.
    assert observation.alive is not None
    assert observation.alive[0].tolist() == [name in seen for name in AGENTS]


def check_seen(observation: Observation, bare: Market, seen: dict[str, Any]) -> None:
    features, mask, alive = (
        observation.features,
        observation.action_mask,
        observation.alive,
    )
    assert features is not None
    assert mask is not None
    assert alive is not None
    assert alive[0].tolist() == [name in bare.agents for name in AGENTS]
    expected = np.zeros((3, 4), np.float32)
    legal = np.zeros((3, 6), bool)
    legal[:, 0] = True
    if LATE in bare.agents:
        expected[0, :3] = seen[LATE]
        legal[0] = True
    if EARLY in bare.agents:
        expected[1, seen[EARLY]] = 1
        legal[1, :2] = True
    expected[2] = seen[STEADY]["observation"].ravel()
    legal[2, :3] = seen[STEADY]["action_mask"]
    assert np.array_equal(features[0].numpy(), expected)
    assert np.array_equal(mask[0].numpy(), legal)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_games_do_not_depend_on_how_many_processes_play_them(workers: int) -> None:
    here = steps(built(market()), seed=3)
    there = built(market(workers=workers))
    try:
        assert all(map(same, steps(there, seed=3), here))
    finally:
        there.close()


def test_a_team_of_one_name_learns_and_all_leaving_is_an_end() -> None:
    environment = built(market(team=EARLY), games=2)
    environment.reset()
    result = environment.step(torch.tensor([[GONE], [0]]))
    assert result.terminated.tolist() == [True, False]
    assert not result.truncated.any()
    again = environment.step(torch.tensor([[0], [0]]))
    assert float(again.team_reward[0]) == 0
    assert again.terminated.tolist() == [True, False]


def test_registered_names_are_found_too() -> None:
    spec = PettingZooConfig(id="classic/rps-v2", kwargs={"num_actions": 5}).spec()
    assert (spec.agents, spec.actions, spec.features) == (2, 5, 6)


def test_a_limit_cuts_games() -> None:
    environment = built(market(max_steps=2))
    environment.reset()
    actions = torch.zeros(3, 3, dtype=torch.int64)
    assert not environment.step(actions).ended.any()
    assert environment.step(actions).truncated.all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "os:system"}, "'os:system' cannot be imported"),
        ({"id": "os"}, "'os' has no parallel_env: PettingZoo's environments have one"),
        ({"id": "os.path; x"}, "'os.path; x' is no module, as mpe2:"),
        ({"id": "sisl/persuit-v5"}, "'sisl/persuit-v5' cannot be made: "),
        ({"id": "mpe3:spread"}, "'mpe3:spread' cannot be imported: pip install mpe3"),
        ({"team": "buyer"}, "no agent's name begins with 'buyer' (there are: trader_"),
        ({"kwargs": {"size": 3}}, f"'{MARKET}' cannot be made: TypeError: Market"),
    ],
)
def test_mistakes_are_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        market(**changes).spec()
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_in_a_game_is_one_line(workers: int) -> None:
    environment = built(market(workers=workers, kwargs={"fails_at": 2}))
    environment.reset()
    actions = torch.zeros(3, 3, dtype=torch.int64)
    environment.step(actions)
    with pytest.raises(UserError) as caught:
        environment.step(actions)
    told = "the environment's step failed: RuntimeError: the market burns"
    assert str(caught.value) == told
    environment.close()


def test_a_dead_process_is_one_line() -> None:
    environment = built(market(workers=2), games=4)
    environment.reset()
    (first, _) = children()
    os.kill(first, signal.SIGKILL)
    with pytest.raises(UserError, match=r"plays games \d to \d died \(status -9\)"):
        environment.step(torch.zeros(4, 3, dtype=torch.int64))
    assert not children()


def children() -> list[int]:
    """The processes that play games."""
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "adapters.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(number) for number in found.stdout.split()]


def test_no_process_outlives_its_environment() -> None:
    environment = built(market(workers=2))
    assert len(children()) == 2
    del environment
    assert not children()


CONFIG = f"""\
environment: {{name: pettingzoo, id: "{MARKET}", team: trader, state: own, workers: 2}}
host: {{name: qmix, hidden: 8, replay_episodes: 64, batch_episodes: 8}}
exploration: {{name: epsilon_greedy}}
stages:
  - episodes: 32
  - episodes: 32
    exploration: {{name: policy_resonance, eta_max: 0.5, ramp_episodes: 8}}
training: {{episodes_per_update: 8, evaluation_episodes: 4, devices: 1, tensorboard: false}}
"""


def test_it_trains_by_the_command(marl: Command) -> None:
    (marl.folder / "market.yaml").write_text(CONFIG)
    ended = marl("train", "market.yaml", "--run-dir", "whole")
    assert ended.status == 0, ended.err
    assert (marl.folder / "whole" / "summary.json").exists()
    assert not children()


def test_an_interrupted_run_ends_as_if_it_had_never_been(tmp_path: Path) -> None:
    """Games in the middle cannot be saved, and need not be: every update begins with a reset."""
    data = YAML(typ="safe").load(CONFIG)
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crash = (AdaptedEnvironment, "step", 15, True)
    parts = interrupted(tmp_path / "parts", data, crash)
    assert differences(outcome(parts), outcome(whole)) == []


def test_a_process_that_plays_needs_no_torch() -> None:
    """Its import takes seconds, and a run may start many such processes."""
    program = """
import sys
import marl_envs.adapters.worker
import marl_envs.adapters.parallel_game
import marl_envs.adapters.tuple_game
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", ["pettingzoo", "gymnasium"])
def test_without_the_libraries_the_rest_works(name: str, tmp_path: Path) -> None:
    """``marl list`` lists the adapters; a config that needs a missing one is told so in a line."""
    program = f"""
import sys
for missing in ("gymnasium", "pettingzoo"):
    sys.modules[missing] = None
from marl_core.cli import main
from marl_core.registry import find
assert find("environment", "{name}").__name__
sys.argv = ["marl", "train", "c.yaml"]
main()
"""
    config = CONFIG.replace("name: pettingzoo", f"name: {name}")
    if name == "gymnasium":
        config = config.replace(", team: trader, state: own", "")
    (tmp_path / "c.yaml").write_text(config)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "pip install gymnasium" in done.stderr
    assert len(done.stderr.splitlines()) == 1
