"""Our environments as PettingZoo's: its own tests, and there and back again."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test
from pydantic import ValidationError

from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_envs.adapters.as_pettingzoo import parallel_env
from marl_envs.adapters.config import PettingZooConfig
from marl_envs.adapters.environment import PettingZoo

OURS: list[tuple[str, dict[str, Any]]] = [
    ("adca", {"agents": 5, "attackers": 6, "max_steps": 20}),
    ("fme", {"agents": 3, "tag": "1A1B1C"}),
    ("custom_environment:NightWatch", {"agents": 3}),
]
ours = pytest.mark.parametrize(("name", "settings"), OURS, ids=[one[0] for one in OURS])


@pytest.fixture(autouse=True)
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend("examples")


@ours
def test_pettingzoo_finds_nothing_wrong(name: str, settings: dict[str, Any]) -> None:
    parallel_api_test(parallel_env(name, **settings), num_cycles=30)
    parallel_seed_test(partial(parallel_env, name, **settings), num_cycles=20)


def test_what_is_illegal_is_masked() -> None:
    """Guards who slept may not sleep again, in the example's environment."""
    game = parallel_env("custom_environment:NightWatch", agents=3)
    seen, _ = game.reset(seed=0)
    assert seen["agent_0"]["action_mask"].tolist() == [1, 1, 1]
    seen, *_ = game.step({"agent_0": 2, "agent_1": 1, "agent_2": 0})
    assert seen["agent_0"]["action_mask"].tolist() == [1, 1, 0]
    assert seen["agent_1"]["action_mask"].tolist() == [1, 1, 1]


def test_the_dead_leave_and_the_living_end_together() -> None:
    game = parallel_env("adca", agents=5, attackers=9, max_steps=60)
    rng = np.random.default_rng(0)
    left = 0
    for seed in range(2):
        game.reset(seed=seed)
        while game.agents:
            before = list(game.agents)
            actions = {name: int(rng.integers(7)) for name in before}
            seen, rewards, ended, cut, _ = game.step(actions)
            assert list(seen) == list(rewards) == list(ended) == list(cut) == before
            gone = [name for name in before if ended[name] or cut[name]]
            assert game.agents == [name for name in before if name not in gone]
            left += bool(game.agents) and bool(gone)
    assert left > 0


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
@pytest.mark.parametrize(("name", "settings"), OURS[1:], ids=["fme", "night_watch"])
def test_there_and_back_again(name: str, settings: dict[str, Any], check: str) -> None:
    module = "marl_envs.adapters.as_pettingzoo"
    limit = settings.get("max_steps", 8)
    config = PettingZooConfig(
        id=module, kwargs={"name": name, **settings}, max_steps=limit
    )
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(PettingZoo, config), "cpu"))


def test_mistakes_are_one_line_each() -> None:
    with pytest.raises(LookupError, match="unknown environment 'fmee', did you mean"):
        parallel_env("fmee")
    with pytest.raises(ValidationError, match="agents"):
        parallel_env("fme", agents=0)
    game = parallel_env("custom_environment:NightWatch", agents=3)
    game.reset(seed=0)
    with pytest.raises(NotImplementedError, match="no state"):
        game.state()
