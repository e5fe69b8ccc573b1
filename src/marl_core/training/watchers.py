"""What watches a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from lightning import Callback
from lightning.pytorch.loggers import Logger


@final
@dataclass(frozen=True)
class Watchers:
    """What watches a run, beside the metrics file and what its config names.

    Attributes:
        callbacks: Lightning's; they are given to the trainer of every stage.
        loggers: Lightning's; they get every line of metrics.
        progress_bar: whether progress is shown on standard error.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()
    progress_bar: bool = True
