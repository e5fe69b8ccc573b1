"""Fig. 7b: the win rate over the greatest resonance probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.battles import ENEMIES, READINGS, sizes
from marl_pr.paper.drawing import add_legend, interval_bars, one_axis
from marl_pr.paper.experiments import (
    BATTLE_P_MIN,
    CONC4HIST_PR_FAST,
    conc4hist,
    resonant,
    unique,
)
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import by_label, mean_of, select, values_of


@final
class Fig7b(Item):
    """PR-Fast, the better variant in ADCA; the paper does not say which it shows."""

    name = "fig7b"
    title = f"Fig. 7b: win rate over eta_max, ADCA against {ENEMIES} % enemies, p_min = {BATTLE_P_MIN}"
    notes = (
        f"The paper prints neither the number of enemies nor the variant; {ENEMIES} % and PR-Fast were chosen."
        " eta_max = 0 is a second stage without resonance, but with a head for each agent. Share of the test battles"
        " won after training, resonance taken out: mean over runs [95 % bootstrap interval over runs]."
    )
    etas: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.3, 0.5, 0.75, 0.9)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Every eta_max goes on from the same first stage."""
        plain = [conc4hist(scale, ENEMIES, seed) for seed in range(seeds.conc4hist)]
        resonating = [
            resonant(one, scale, "pr_fast", eta_max=eta)
            for eta in scale.of(self.etas)
            for one in plain
        ]
        return unique([*plain, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each eta_max."""
        rows = []
        for eta in values_of(results, "eta_max"):
            runs = select(results, eta_max=eta, algorithm=CONC4HIST_PR_FAST)
            rows.append(
                [
                    f"{eta:g}",
                    *(
                        interval_cell(mean_of(runs, reading))
                        for reading in READINGS.values()
                    ),
                ]
            )
        return f"{sizes(results)}\n" + markdown_table(
            ["eta_max", *(f"won, {how}" for how in READINGS)], rows
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """The mean and its interval over eta_max."""
        figure, axis = one_axis(
            "greatest resonance probability, eta_max", "battles won"
        )
        groups = by_label(select(results, algorithm=CONC4HIST_PR_FAST), "eta_max")
        for place, (how, reading) in enumerate(READINGS.items()):
            interval_bars(axis, groups, reading, how, place)
        add_legend(axis)
        return figure
