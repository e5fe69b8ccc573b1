"""Ctrl-C, and a scheduler's request to end, in the middle of a fit."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from lightning import Callback, LightningModule, Trainer

from marl_core.errors import AskedToEnd
from marl_core.training.learner import Learner

#: What asks a run to end: a terminal, a scheduler, and schedulers shortly before they do (SLURM's
#: ``--signal``). Windows does not have all of them.
_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
#: What a signal does where nobody has said anything else.
_UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)


@final
class EndBetweenUpdates(Callback):
    """Delays the end that is asked for until the update in progress is made and saved.

    A second Ctrl-C stops at once. Interrupting TensorBoard's thread can deadlock.

    Args:
        learner: is asked to stop.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._listens: set[int] = set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside of it, signals ask the learner; those that are handled already are left alone."""
        before = {}
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in _UNTOUCHED:
                before[number] = signal.getsignal(number)
        try:
            for number in before:
                signal.signal(number, self._request)
        except (
            ValueError
        ):  # only the main thread may set handlers, and it alone gets signals
            before.clear()
        self._listens = {int(number) for number in before}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen again: Lightning has put a handler of its own.

        Its handler waits for the other processes wherever the signal finds it, so they hang.

        Args:
            trainer: unused.
            pl_module: unused.
        """
        if int(signal.SIGTERM) in self._listens:
            signal.signal(signal.SIGTERM, self._request)

    def _request(self, number: int, frame: object) -> None:
        self._learner.stop_request.signal = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)


def interruption(learner: Learner) -> BaseException:
    """What an interrupted fit ends with.

    Rank 0 says that the run was interrupted, and the other ranks end without a word.

    Args:
        learner: was asked to stop.
    """
    if learner.global_rank != 0:
        return SystemExit(0)
    number = learner.stop_request.signal
    if number is None or number == signal.SIGINT:
        return KeyboardInterrupt()
    return AskedToEnd(number)
