"""A process of a run that is lost: whoever notices says so in one line, and ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from marl_core.errors import RankLostError
from marl_core.training.company import end_company, lost_company, lost_rank
from marl_core.training.parent import end_with
from marl_core.training.place import Place

#: Seconds in which the process that has started this one says what has happened, and ends it.
_PATIENCE = 10.0
#: Words in what a collective raises whose other end is gone; torch has no type for it.
_SIGNS = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")


@contextmanager
def lost_ranks_told(place: Place, folder: Path) -> Iterator[None]:
    """Inside of it, the loss of another process ends in one line and not in many.

    Args:
        place: of this process.
        folder: of the run, for messages.

    Raises:
        RankLostError: a process is lost.
        SystemExit: another process of this machine says so.
    """
    if place.processes == 1:
        yield
        return
    if place.launcher == "torchrun":
        end_with(os.getppid(), None)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        lost = _explained(error, place, folder)
        end_company()
        if lost is None:
            raise
        raise lost from error


def _explained(
    error: BaseException, place: Place, folder: Path
) -> BaseException | None:
    """What to raise in the place of an error; None where the error is this process's own."""
    if not _is_of_a_collective(error):
        return None
    if place.was_started:
        time.sleep(_PATIENCE)
    if place.local_rank > 0:
        return SystemExit(1)
    return lost_company(_PATIENCE if place.starts_others else 0.0) or _elsewhere(folder)


def _elsewhere(folder: Path) -> RankLostError:
    what = "another process of the run has ended, or cannot be reached any more"
    return lost_rank(what, folder)


def _is_of_a_collective(error: BaseException) -> bool:
    if isinstance(error, torch.distributed.DistError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in said for sign in _SIGNS)
