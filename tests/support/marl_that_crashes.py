"""The ``marl`` command, of which one rank crashes: the one and after as many updates as
``CRASH=rank:updates`` says. With ``CRASH=rank:updates:KILL`` it is killed by that signal, in the
middle of an update; after 0 updates, before it has met the others.

What a process leaves undone goes to standard error. Only the first start by a launcher crashes.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import torch

from marl_core.cli import main
from marl_core.training.learner import Learner
from marl_core.types import Rollout


def killed(name: str) -> None:
    """Die, as the system or a person kills a process."""
    os.kill(os.getpid(), getattr(signal, f"SIG{name}"))


def kill_at_start(rank: int, name: str) -> None:
    """Have the given rank killed just before it meets the others."""
    meet = torch.distributed.init_process_group

    def killed_before(*arguments: Any, **settings: Any) -> None:
        if settings["rank"] == rank:
            killed(name)
        meet(*arguments, **settings)

    torch.distributed.init_process_group = killed_before


def kill_in_update(rank: int, updates: int, name: str) -> None:
    """Have the given rank killed between two collectives of an update."""
    learn = Learner.learn

    def killed_before(self: Learner, rollout: Rollout) -> Any:
        if (self.global_rank, self.progress.updates) == (rank, updates):
            killed(name)
        return learn(self, rollout)

    Learner.learn = killed_before  # type: ignore[method-assign]


def kill_in_checkpoint(rank: int, updates: int, name: str) -> None:
    """Have the given rank killed where the first checkpoint after so many updates is made."""
    save = Learner.on_save_checkpoint

    def killed_before(self: Learner, checkpoint: dict[str, Any]) -> None:
        if self.global_rank == rank and self.progress.updates > updates:
            killed(name)
        save(self, checkpoint)

    Learner.on_save_checkpoint = killed_before  # type: ignore[method-assign]


def crash_after(rank: int, updates: int) -> None:
    """Have the given rank crash when it has made so many updates."""
    training_step = Learner.training_step

    def crashing(self: Learner, batch: Any, batch_index: int) -> None:
        training_step(self, batch, batch_index)
        if (self.global_rank, self.progress.updates) == (rank, updates):
            raise RuntimeError(f"rank {rank} crashes on purpose")

    Learner.training_step = crashing  # type: ignore[method-assign]


if __name__ == "__main__":
    which, when, *how = os.environ["CRASH"].split(":")
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        pass
    elif not how:
        crash_after(int(which), int(when))
    elif how[-1] == "checkpoint":
        kill_in_checkpoint(int(which), int(when), how[0])
    elif when == "0":
        kill_at_start(int(which), how[0])
    else:
        kill_in_update(int(which), int(when), how[0])
    try:
        main()
    finally:
        if torch.distributed.is_initialized():
            print("a process group was left behind", file=sys.stderr)
