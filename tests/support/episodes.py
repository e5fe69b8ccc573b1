"""Short episodes of ADCA and FME, recorded without training."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from marl_core.config.run import RunConfig
from marl_core.rendering import Episode, Mode, record
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, stage_exploration
from marl_core.types import Progress
from marl_envs.adca import ADCA
from marl_envs.adca.viewer import (
    BattleViewer,
)
from marl_envs.fme import FME
from marl_envs.fme.viewer import LevelViewer
from tests.support.runs import run_data

MODES: tuple[Mode, ...] = ("greedy", "sampled", "training")
#: Within the last stage of the runs below.
LATE = Progress(episodes=1000, stage=1, stage_episodes=500, updates=50)


def adca_data(**fields: Any) -> dict[str, Any]:
    """A short battle of guards that need no training, with a coin at each step of training."""
    coupled = {
        "name": "policy_resonance",
        "ramp_episodes": 1,
        "p_min": 0.05,
        "eta_max": 0.5,
        "level": "step",
    }
    return {
        "seed": 2,
        "environment": {
            "name": "marl_envs.adca:ADCA",
            "agents": 6,
            "attackers": 8,
            "max_steps": 90,
            **fields,
        },
        "host": {"name": "tests.support.guards:Guards"},
        "exploration": {"name": "entropy_sampling"},
        "stages": [{"episodes": 2, "exploration": coupled}],
        "training": {
            "episodes_per_update": 2,
            "evaluation_episodes": 2,
            "tensorboard": False,
            "threads": 1,
        },
    }


def battle(
    mode: Mode = "greedy", seed: int = 0, **fields: Any
) -> tuple[BattleViewer, Episode]:
    run = RunConfig.model_validate(adca_data(**fields))
    state = replace(first_state(run), progress=Progress(1000, 0, 500))
    environment, episode = record(state, mode, seed, name="a run")
    assert isinstance(environment, ADCA)
    viewer = environment.viewer()
    assert isinstance(viewer, BattleViewer)
    return viewer, episode


def resonant_run(level: str = "episode") -> RunState:
    """FME with policies of some strength, and resonance at its full eta."""
    data = run_data("pr")
    data["stages"][1]["exploration"]["level"] = level
    run = RunConfig.model_validate(data)
    state = first_state(run)
    assert isinstance(state.host, nn.Module)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in state.host.parameters():
            parameter.add_(0.6 * torch.randn(parameter.shape, generator=random))
    exploration = stage_exploration(run, 1, state.spec)
    return replace(state, exploration=exploration, progress=LATE)


def lesson(
    mode: Mode = "greedy", seed: int = 0, level: str = "episode", **named: Any
) -> tuple[LevelViewer, Episode]:
    environment, episode = record(resonant_run(level), mode, seed, **named)
    assert isinstance(environment, FME)
    viewer = environment.viewer()
    assert isinstance(viewer, LevelViewer)
    return viewer, episode


def data_of(page: str) -> Any:
    """What a page holds."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])
