"""The ``marl`` command, of which one rank crashes: the one and after as many updates as
``CRASH=rank:updates`` says.

What a process leaves undone goes to standard error.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

from marl_core.cli import main
from marl_core.training.learner import Learner


def crash_after(rank: int, updates: int) -> None:
    """Have the given rank crash when it has made so many updates."""
    training_step = Learner.training_step

    def crashing(self: Learner, batch: Any, batch_index: int) -> None:
        training_step(self, batch, batch_index)
        if (self.global_rank, self.progress.updates) == (rank, updates):
            raise RuntimeError(f"rank {rank} crashes on purpose")

    Learner.training_step = crashing  # type: ignore[method-assign]


if __name__ == "__main__":
    which, when = map(int, os.environ["CRASH"].split(":"))
    crash_after(which, when)
    try:
        main()
    finally:
        if torch.distributed.is_initialized():
            print("a process group was left behind", file=sys.stderr)
