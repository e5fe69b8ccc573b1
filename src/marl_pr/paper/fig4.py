"""Fig. 4: two-stage training in ADCA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.battles import (
    ALGORITHMS,
    ENEMIES,
    HOW_TO_READ,
    READINGS,
    sizes,
    two_stage_jobs,
)
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.resonance_curves import resonance_curves
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import mean_of, select


@final
class Fig4(Item):
    """The learning curve of Conc4Hist with resonance in the second stage, beside one without."""

    name = "fig4"
    title = (
        "Fig. 4: two-stage training of Conc4Hist with PR and PR-Fast, "
        f"ADCA against {ENEMIES} % enemies"
    )
    notes = (
        f"{HOW_TO_READ} The figure shows greedy teams; its bands reach from the lowest run to the "
        "highest."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """All second stages continue the same first stages.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        return two_stage_jobs(scale, seeds, [ENEMIES])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row before resonance, one without it, and one after each variant of it.

        Args:
            results: of the runs that there are.
        """
        rows = []
        for algorithm in ALGORITHMS:
            runs = select(results, algorithm=algorithm)
            means = [mean_of(runs, reading) for reading in READINGS.values()]
            rows.append([algorithm, str(len(runs)), *map(interval_cell, means)])
        header = ["algorithm", "runs", *(f"won, {how}" for how in READINGS)]
        return f"{sizes(results)}\n{markdown_table(header, rows)}"

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Win rate and eta over episodes.

        Args:
            results: of the runs that there are.
        """
        groups = {name: select(results, algorithm=name) for name in ALGORITHMS[1:]}
        return resonance_curves(
            groups, "greedy/win_rate", "battles won by the greedy team"
        )
