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
from marl_pr.paper.drawing import resonance_curves
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import mean_of, select


@final
class Fig4(Item):
    """The learning curve of Conc4Hist with resonance in the second stage, beside one without."""

    name = "fig4"
    title = f"Fig. 4: two-stage training of Conc4Hist with PR and PR-Fast, ADCA against {ENEMIES} % enemies"
    notes = f"{HOW_TO_READ} The figure has greedy teams; its bands reach from the lowest run to the highest."

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """All go on from the same first stage."""
        return two_stage_jobs(scale, seeds, [ENEMIES])

    def table(self, results: Sequence[RunResult]) -> str:
        """Before resonance, without it, and after either variant of it."""
        rows = []
        for algorithm in ALGORITHMS:
            runs = select(results, algorithm=algorithm)
            intervals = [
                interval_cell(mean_of(runs, reading)) for reading in READINGS.values()
            ]
            rows.append([algorithm, str(len(runs)), *intervals])
        table = markdown_table(
            ["algorithm", "runs", *(f"won, {how}" for how in READINGS)], rows
        )
        return f"{sizes(results)}\n{table}"

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Win rate and eta over episodes."""
        groups = {name: select(results, algorithm=name) for name in ALGORITHMS[1:]}
        return resonance_curves(
            groups, "greedy/win_rate", "battles won by the greedy team"
        )
