"""Ctrl-C in the middle of a fit."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from marl_core.training.learner import Learner
from marl_core.training.ranks import rank


@contextmanager
def interrupts_between_updates(learner: Learner) -> Iterator[None]:
    """Delay Ctrl-C until the update ends; a second Ctrl-C stops at once.

    Interrupting TensorBoard's thread can deadlock.

    Args:
        learner: is asked to stop.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        # The handler is somebody else's, or the signal is ignored, as in the background.
        yield
        return
    if not _handled_by(learner):
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _handled_by(learner: Learner) -> bool:
    """Have the learner told of Ctrl-C. False in a thread, which is never interrupted itself."""

    def request_stop(number: int, frame: object) -> None:
        learner.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        signal.signal(signal.SIGINT, request_stop)
    except ValueError:  # only the main thread may set handlers
        return False
    return True


def interruption() -> BaseException:
    """What an interrupted fit ends with.

    Rank 0 says that the run was interrupted. Another rank's bad status would have Lightning kill
    rank 0 before it can.
    """
    return KeyboardInterrupt() if rank() == 0 else SystemExit(0)
