"""Actions that are numbers, there and back: PettingZoo's games here, and ours as PettingZoo's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import parallel_api_test, parallel_seed_test

from marl_core.errors import UserError
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_core.types import Box
from marl_envs.adapters.as_pettingzoo import parallel_env
from marl_envs.adapters.boxes import Reach, box_of_team
from marl_envs.adapters.config import PettingZooConfig
from marl_envs.adapters.environment import PettingZoo
from tests.support.runs import go_on, outcome, start

REACHING = "tests.support.reach_game"
TARGETS = "tests.support.box_games:Targets"
SPREAD: dict[str, Any] = {
    "id": "mpe2:simple_spread_v3",
    "kwargs": {"N": 2, "continuous_actions": True, "max_cycles": 5},
    "agents_die": False,
}


def reaching(kind: str, **changes: Any) -> PettingZooConfig:
    described = {"id": REACHING, "kwargs": {"kind": kind}, "agents_die": False}
    return PettingZooConfig.model_validate(described | changes)


def built(config: PettingZooConfig, games: int = 2) -> PettingZoo:
    generator = torch.Generator().manual_seed(0)
    return PettingZoo(config, games=games, device="cpu", generator=generator)


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(reaching("differ"), id="differ"),
        pytest.param(
            PettingZooConfig.model_validate(SPREAD),
            id="spread",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_protocol_is_kept(check: str, config: PettingZooConfig) -> None:
    case = EnvironmentCase(partial(PettingZoo, config))
    ENVIRONMENT_CHECKS[check](case)


def test_equal_boxes_stay_and_others_are_stretched() -> None:
    """And padded to the greatest number of numbers."""
    alike = reaching("alike").spec()
    assert alike.box == Box((0.0, 0.0), (4.0, 4.0))
    assert alike.actions == 0
    assert not alike.action_masks
    assert reaching("differ").spec().box == Box.unit(3)


@pytest.mark.parametrize(
    ("kind", "chosen", "paid"),
    [
        ("alike", [[1.0, 2.0], [0.0, 0.0], [4.0, 4.0]], [3.0, 0.0, 8.0]),
        ("differ", [[1.0, 0.0, 9.0], [-1.0, 7.0, 7.0], [1.0, 0.0, -1.0]], [6, -3, 3]),
    ],
)
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_each_agent_gets_its_own_numbers(
    kind: str, chosen: list[list[float]], paid: list[float], workers: int
) -> None:
    """Whoever has fewer of them gets the first ones. Processes play the same."""
    environment = built(reaching(kind, workers=workers))
    environment.reset()
    result = environment.step(torch.tensor([chosen, chosen]))
    environment.close()
    assert result.individual_reward is not None
    assert result.individual_reward.tolist() == [paid, paid]


@settings(max_examples=50)
@given(
    st.floats(-1e3, 1e3, width=32),
    st.floats(0.125, 1e3, width=32),
    st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2),
)
def test_what_the_environment_gets_lies_in_its_space(
    low: float, width: float, numbers: list[float]
) -> None:
    """From end to end, whatever rounding does."""
    space = spaces.Box(low, low + width, (2,), np.float32)
    other = spaces.Box(-2.0, 5.0, (1,), np.float32)
    reach = Reach.of(space, "it")
    team = box_of_team([reach, Reach.of(other, "other")])
    for asked in (numbers, [-1.0, 1.0]):
        action = reach.action(np.asarray(asked, np.float32), team)
        assert space.contains(action)
        share = (action - space.low) / (space.high - space.low)
        assert np.allclose(
            share, (np.asarray(asked, np.float32) + 1) / 2, atol=1e-3 + abs(low) * 1e-6
        )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("mixed", "hand_0 has actions that are counted, and hand_1 numbers in a box"),
        ("unbounded", "numbers without two finite bounds cannot be learnt here"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_a_line(kind: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        reaching(kind).spec()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_spread_is_trained_with_numbers(tmp_path: Path) -> None:
    """As the tutorials' spread, with its engine's five forces in place of five directions."""
    resonant = {"name": "policy_resonance", "ramp_episodes": 8}
    data = {
        "environment": {"name": "pettingzoo", **SPREAD},
        "host": {"name": "mappo", "hidden": 8, "epochs": 2, "body": "gru"},
        "exploration": {"name": "gaussian", "bounds": "tanh"},
        "stages": [{"episodes": 16}, {"episodes": 16, "exploration": resonant}],
        "training": {
            "episodes_per_update": 8,
            "evaluation_episodes": 2,
            "threads": 1,
            "devices": 1,
            "tensorboard": False,
        },
    }
    folder = start(tmp_path / "run", data)
    go_on(folder)
    assert np.isfinite(outcome(folder)["summary"]["return"]["greedy"]["mean"])


def test_ours_are_pettingzoo_s() -> None:
    """Its own tests find nothing wrong."""
    made = partial(parallel_env, TARGETS, agents=2)
    parallel_api_test(made(), num_cycles=20)
    parallel_seed_test(made, num_cycles=10)
    space = made().action_space("agent_0")
    assert isinstance(space, spaces.Box)
    assert space.low.tolist() == [-2, 0]
    assert space.high.tolist() == [1, 4]


def test_there_and_back_again() -> None:
    """A game of ours seen as PettingZoo's seen by the kernel has the spec that it had."""
    game = parallel_env(TARGETS, agents=3)
    reaches = []
    for name in game.possible_agents:
        space = game.action_space(name)
        assert isinstance(space, spaces.Box)
        reaches.append(Reach.of(space, name))
    assert box_of_team(reaches) == ((-2.0, 0.0), (1.0, 4.0))
    game.reset(seed=0)
    far = {name: np.asarray([50, -50], np.float32) for name in game.agents}
    _, far_paid, *_ = game.step(far)
    game.reset(seed=0)
    ends = {name: np.asarray([1, 0], np.float32) for name in game.agents}
    _, paid, *_ = game.step(ends)
    assert far_paid == paid
