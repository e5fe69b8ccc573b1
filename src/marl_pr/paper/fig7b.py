"""Fig. 7b: the win rate over the greatest resonance probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.rendering.line_styles import line_style
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_pr.paper.algorithms import CONC4HIST_PR_FAST
from marl_pr.paper.battles import (
    ENEMIES,
    READINGS,
    baseline_table,
    read_battles,
    sizes,
)
from marl_pr.paper.drawing import add_legend, one_axis
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.interval_bars import interval_bars, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import by_label, select, values_of
from marl_pr.paper.second_stages import resonant
from marl_pr.paper.shares import mean_share


@final
class Fig7b(Item):
    """PR-Fast, the better variant in ADCA; the paper does not say which one it shows."""

    name = "fig7b"
    title = f"Fig. 7b: win rate over eta_max, ADCA against {ENEMIES} % enemies"
    notes = (
        f"The paper prints neither the number of enemies nor the variant; {ENEMIES} % and PR-Fast "
        "were chosen. eta_max = 0 is a second stage without resonance, but with a head for each "
        "agent. Share of the test battles won after training, without resonance in the test: mean "
        "over runs [95 % bootstrap interval over runs]."
    )
    etas: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.3, 0.5, 0.75, 0.9)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs of every eta_max continue the same first stages.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [conc4hist(scale, ENEMIES, seed) for seed in range(seeds.conc4hist)]
        resonating = [
            resonant(one, scale, "pr_fast", eta_max=eta)
            for eta in scale.of(self.etas)
            for one in plain
        ]
        return unique([*plain, *resonating])

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a run; with one of them, those of teams without learning.

        Args:
            folder: of the run.
            labels: of the run.

        Raises:
            UserError: the run cannot be read.
        """
        return read_battles(folder, labels)

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each eta_max.

        Args:
            results: of the runs that there are.
        """
        rows = []
        for eta in values_of(results, "eta_max"):
            runs = select(results, eta_max=eta, algorithm=CONC4HIST_PR_FAST)
            means = [mean_share(runs, reading) for reading in READINGS.values()]
            rows.append([f"{eta:g}", *map(interval_cell, means)])
        header = ["eta_max", *(f"won, {how}" for how in READINGS)]
        table = markdown_table(header, rows)
        parts = [sizes(results), table, baseline_table(results)]
        return "\n".join(part for part in parts if part)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """The mean and its interval over eta_max.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis(
            "greatest resonance probability, eta_max", "battles won"
        )
        resonating = select(results, algorithm=CONC4HIST_PR_FAST)
        groups = by_label(resonating, "eta_max")
        for index, (how, reading) in enumerate(READINGS.items()):
            interval_bars(axis, groups, reading, how, line_style(index))
        add_legend(axis, title=what_bars_show(resonating))
        return figure
