"""Ctrl-C in the middle of a fit."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from marl_core.training.learner import Learner
from marl_core.training.ranks import rank


@contextmanager
def interrupts_between_updates(learner: Learner) -> Iterator[None]:
    """Let Ctrl-C wait for the end of the update; a second one does not.

    An exception amid TensorBoard's dealings with its thread can leave a lock that nobody opens again.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody else's, or ignored, as in the background
        return

    def request_stop(number: int, frame: object) -> None:
        learner.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        signal.signal(signal.SIGINT, request_stop)
    except (
        ValueError
    ):  # only the main thread may set handlers, and is the only one that is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def interruption() -> BaseException:
    """Rank 0 speaks for all; another's bad status would have Lightning kill rank 0 before it can."""
    return KeyboardInterrupt() if rank() == 0 else SystemExit(0)
