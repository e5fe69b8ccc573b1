"""What one figure or table of the paper needs: its runs, its table and its figure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from matplotlib.figure import Figure

from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import read_run
from marl_core.runs.folder import RunFolder
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.scale import Scale, Seeds


class Item(ABC):
    """A figure or table of the paper, or one that is not in the paper.

    ``table`` and ``draw`` depend on the results alone, in any order of them. They also work where
    runs are missing. Abstract base.
    """

    #: As it is given on the command line.
    name: ClassVar[str]
    #: What it shows, in one line.
    title: str
    #: How many seeds, where the scale does not say otherwise.
    default_seeds: ClassVar[Seeds] = Seeds(ppo_ma=8, qmix=5, conc4hist=3)
    #: Markdown below the table: what the paper says and does not say, and how to read the table.
    notes: str = ""
    #: What its command needs besides the item's name and the scale.
    arguments: str = ""

    @abstractmethod
    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs, each after the one that it continues. No name occurs twice.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a finished run.

        An item that measures more than a run logs overrides this, and adds its metrics.

        Args:
            folder: of the run.
            labels: of the run.

        Raises:
            UserError: the run cannot be read.
        """
        return read_run(folder, labels)

    @abstractmethod
    def table(self, results: Sequence[RunResult]) -> str:
        """A table in Markdown, with the paper's numbers, where it prints any, beside ours.

        Args:
            results: of the runs that there are.
        """

    @abstractmethod
    def draw(self, results: Sequence[RunResult]) -> Figure:
        """The figure.

        Args:
            results: of the runs that there are.
        """
