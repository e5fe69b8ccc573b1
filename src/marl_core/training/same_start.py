"""Whether all processes of a run begin alike, which machines without common files would not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version

import torch

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.changes import learning_config
from marl_core.runs.provenance import DISTRIBUTION
from marl_core.training.ranks import from_everyone, told_once
from marl_core.types import Progress


def check_same_start(
    config: RunConfig,
    progress: Progress,
    rank: int,
    count: int,
) -> None:
    """Refuse to train where a process has another config, checkpoint or version than rank 0.

    Args:
        config: by which this process trains.
        progress: where it begins.
        rank: of this process.
        count: how many processes there are.

    Raises:
        UserError: on rank 0; one of them begins differently.
        SystemExit: on the others.
    """
    learning = json.dumps(learning_config(config.model_dump(mode="json")))
    mine = {
        "config": hashlib.sha256(learning.encode()).hexdigest(),
        "checkpoint": json.dumps(asdict(progress)),
        "version of torch": torch.__version__,
        "version of this project": version(DISTRIBUTION),
    }
    everyone = from_everyone(mine, count)
    for other, its in enumerate(everyone):
        for what, value in its.items():
            if value != everyone[0][what]:
                raise told_once(_differs(other, what), rank)


def _differs(rank: int, what: str) -> UserError:
    return UserError(
        f"rank {rank} has another {what} than rank 0: all processes of a run need the same "
        "program, and a run folder on a file system that they share"
    )
