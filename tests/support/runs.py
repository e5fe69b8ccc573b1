"""Short runs, and what it means that two of them are the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from marl_core.config.run import RunConfig
from marl_core.runs.folder import RunFolder
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers

#: Who learns, and how the first stage explores. QMIX learns from its second update on; its replay
#: is full after three.
HOSTS: dict[str, dict[str, Any]] = {
    "ppo_ma": {
        "host": {"name": "ppo_ma", "epochs": 3},
        "exploration": {"name": "entropy_sampling"},
    },
    "qmix": {
        "host": {
            "name": "qmix",
            "batch_episodes": 24,
            "replay_episodes": 40,
            "target_every": 40,
        },
        "exploration": {"name": "epsilon_greedy", "anneal_steps": 400},
    },
    "conc4hist": {
        "environment": {"name": "marl_core.testing.practice:Practice"},
        "host": {"name": "conc4hist", "epochs": 3, "hidden": 8, "microbatch": 50},
        "exploration": {"name": "entropy_sampling"},
    },
}
#: The second stage of a run, by what is tried.
SECOND_STAGES: dict[str, dict[str, Any]] = {
    "ppo_ma": {"name": "entropy_sampling", "coefficient": 0.01},
    "pr": {"name": "policy_resonance", "ramp_episodes": 64, "p_min": 0.05},
    "pr_fast": {
        "name": "policy_resonance",
        "ramp_episodes": 64,
        "p_min": 0.05,
        "variant": "pr_fast",
    },
    "pr_fast_step": {
        "name": "policy_resonance",
        "ramp_episodes": 64,
        "p_min": 0.05,
        "variant": "pr_fast",
        "level": "step",
    },
}


def run_data(
    second: str = "pr_fast",
    updates: tuple[int, int] = (7, 6),
    host: str = "ppo_ma",
    **training: Any,
) -> dict[str, Any]:
    """The config of a run of two short stages.

    Checkpoints, logs and stages end at different updates.
    """
    batch = 16
    return {
        "seed": 3,
        "environment": {"name": "fme", "agents": 5, "tag": "1A1B1C"},
        **copy.deepcopy(HOSTS[host]),
        "stages": [
            {"episodes": batch * updates[0]},
            {"episodes": batch * updates[1], "exploration": SECOND_STAGES[second]},
        ],
        "training": {
            "episodes_per_update": batch,
            "evaluate_every": 5,
            "evaluation_episodes": 4,
            "log_every": 2,
            "checkpoint_every": 3,
            "threads": 1,
            "tensorboard": False,
            **training,
        },
    }


def start(path: Path, data: dict[str, Any]) -> RunFolder:
    """A folder in which the run can be trained."""
    folder = RunFolder(path)
    folder.create(RunConfig.model_validate(data))
    return folder


def go_on(folder: RunFolder) -> None:
    """What ``marl train`` and ``marl resume`` do with a folder."""
    train(folder.load_config(), folder, Watchers(progress_bar=False))


def outcome(folder: RunFolder) -> dict[str, Any]:
    """All that a finished run leaves, but for times, versions and the config itself."""
    summary = json.loads(folder.summary.read_text())
    del summary["seconds"]
    checkpoint = torch.load(folder.checkpoint, weights_only=True)
    checkpoint["marl"].pop("config", None)
    return {
        "checkpoint": checkpoint,
        "metrics": folder.metrics.read_bytes(),
        "summary": summary,
    }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two outcomes are not the same to the last bit."""
    if type(one) is not type(other):
        return [f"{where}: {type(one)} and {type(other)}"]
    if isinstance(one, dict):
        if list(one) != list(other):
            return [f"{where}: keys {list(one)} and {list(other)}"]
        return [
            found
            for key in one
            for found in differences(one[key], other[key], f"{where}/{key}")
        ]
    if isinstance(one, list):
        if len(one) != len(other):
            return [f"{where}: {len(one)} and {len(other)} entries"]
        return [
            found
            for i in range(len(one))
            for found in differences(one[i], other[i], f"{where}/{i}")
        ]
    if isinstance(one, Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [where]
    return [] if one == other else [where]
