"""Progress where nobody watches: a line every so often, in a pipe, a log file or CI."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, final

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from marl_core.training.learner import Learner
from marl_core.training.progress_text import ProgressText

#: Until when, in seconds since the start, lines are how many seconds apart.
_SCHEDULE = ((60.0, 10.0), (600.0, 30.0), (float("inf"), 60.0))


def is_watched() -> bool:
    """Whether standard error is a terminal that can show a bar."""
    if os.environ.get("TERM", "") in ("dumb", "unknown") or os.environ.get("CI"):
        return False
    return sys.stderr.isatty()


@final
class ProgressLines(ProgressBar):
    """A line on standard error, every 10 seconds at first, then rarer, at least every minute."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._last = self._started
        self._disabled = False

    def disable(self) -> None:
        """Print nothing."""
        self._disabled = True

    def enable(self) -> None:
        """Print lines, on rank 0."""
        self._disabled = False

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Print a line if it is time.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
            outputs: unused.
            batch: unused.
            batch_idx: unused.
        """
        now = time.monotonic()
        if now - self._last >= _interval(now - self._started):
            self._print(trainer, pl_module)

    def on_train_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
    ) -> None:
        """Print a line at the end of a stage.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        self._print(trainer, pl_module)

    def _print(
        self,
        trainer: Trainer,
        learner: LightningModule,
    ) -> None:
        self._last = time.monotonic()
        if self._disabled or not trainer.is_global_zero:
            return
        assert isinstance(learner, Learner)
        print(
            ProgressText.of(learner).line(),
            file=sys.stderr,
            flush=True,
        )


def _interval(since_start: float) -> float:
    return next(apart for until, apart in _SCHEDULE if since_start < until)
