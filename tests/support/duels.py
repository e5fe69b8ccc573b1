"""Environments of duels, and runs that have learnt to play one side of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from marl_core.api.run import Run
from marl_core.api.training import train
from marl_envs.adapters.config import PettingZooConfig
from marl_envs.adapters.environment import PettingZoo

DUEL = "tests.support.duel"
#: Weights as far from 0 as learning for long would take them, so that agents differ.
HOSTS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mappo", "encoder_widths": [8], "learning_rate": 0.05},
    "gru": {
        "name": "mappo",
        "encoder_widths": [8],
        "body": "gru",
        "learning_rate": 0.05,
    },
    "qmix": {"name": "qmix", "hidden": 8, "replay_episodes": 32, "batch_episodes": 8},
}


def duel(**changes: Any) -> PettingZooConfig:
    """The side of the reds, where nothing else is said."""
    return PettingZooConfig.model_validate({"id": DUEL, "team": "red", **changes})


def built(config: PettingZooConfig, games: int = 3, seed: int = 0) -> PettingZoo:
    """An environment of duels."""
    generator = torch.Generator().manual_seed(seed)
    return PettingZoo(config, games=games, device="cpu", generator=generator)


def run_data(host: str = "mlp", **environment: Any) -> dict[str, Any]:
    """The config of a short run."""
    name = "epsilon_greedy" if host == "qmix" else "entropy_sampling"
    state = {"state": "joined"} if host == "qmix" else {}
    return {
        "environment": {
            "name": "pettingzoo",
            "id": DUEL,
            "team": "red",
            **state,
            **environment,
        },
        "host": HOSTS[host],
        "exploration": {"name": name},
        "stages": [{"episodes": 24}],
        "training": {
            "episodes_per_update": 8,
            "evaluation_episodes": 4,
            "checkpoint_every": 2,
            "threads": 1,
            "tensorboard": False,
        },
    }


def blues(out: Path, host: str, **environment: Any) -> Run:
    """A finished run of the blues, which learnt against random reds."""
    data = run_data(host, team="blue", **environment)
    return train(data, out=out, progress=False)


def frozen(run: Run | Path, **changes: Any) -> dict[str, Any]:
    """What a config says of opponents that a run plays."""
    path = run.path if isinstance(run, Run) else run
    return {"name": "frozen", "run": str(path), **changes}
