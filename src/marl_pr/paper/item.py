"""What one figure or table of the paper needs: its runs, its table, its figure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import read_run
from marl_core.runs.folder import RunFolder
from marl_core.sweep import Job
from marl_pr.paper.scale import Scale, Seeds


@dataclass(frozen=True)
class LabelledJob:
    """A run to train, and what tells it apart from the item's other runs (``algorithm``, ``agents``, ``eta_max`` ...).

    A run that several items share has the same labels in all of them.
    """

    job: Job
    labels: Mapping[str, Label]


class Item(ABC):
    """A figure or table of the paper, or one that the paper lacks.

    ``table`` and ``draw`` are functions of the results alone, in any order of them, and make the best of it when runs
    are missing. Abstract base.
    """

    #: As the command line gives it.
    name: ClassVar[str]
    #: What it shows, in one line.
    title: str
    #: Where the scale does not say otherwise.
    default_seeds: ClassVar[Seeds] = Seeds(ppo_ma=8, qmix=5, conc4hist=3)
    #: What the paper says and does not say, and how to read the table: Markdown below it.
    notes: str = ""

    @abstractmethod
    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs, each after the one that it continues; no name twice."""

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a finished run. An item that measures more than a run logs adds its metrics here."""
        return read_run(folder, labels)

    @abstractmethod
    def table(self, results: Sequence[RunResult]) -> str:
        """A table in Markdown; the paper's numbers, where it prints any, beside ours."""

    @abstractmethod
    def draw(self, results: Sequence[RunResult]) -> Figure:
        """The figure."""
