"""Fig. 6: the win rate over the number of enemies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.battles import (
    ALGORITHMS,
    HOW_TO_READ,
    READINGS,
    greedy_win_rate,
    sizes,
    two_stage_jobs,
)
from marl_pr.paper.drawing import add_legend, bars_of_each, one_axis
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading, mean_of, select, values_of


@final
class Fig6(Item):
    """Each number of enemies is a task of its own: a team is tested against as many as it was trained against."""

    name = "fig6"
    title = "Fig. 6: win rate over the number of enemies, ADCA"
    notes = (
        f"{HOW_TO_READ} Every team is tested against as many enemies as it was trained against. What the paper says of"
        " its figure, for 50 guards: at 120 % enemies 50 % before resonance, above 80 % with PR, above 95 % with"
        " PR-Fast; at 150 % some 10 % more with PR-Fast. Our figure has greedy teams."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """A first stage against each number of enemies, and three that go on from it."""
        return two_stage_jobs(scale, seeds, scale.battles.enemies)

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each number of enemies, a column for each algorithm; greedy teams, then sampling ones."""
        parts = (
            f"{how.capitalize()}:\n\n{_table(results, reading)}"
            for how, reading in READINGS.items()
        )
        return "\n".join([sizes(results), *parts])

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A line for each algorithm."""
        figure, axis = one_axis(
            "enemies, % of the team", "battles won by the greedy team"
        )
        bars_of_each(axis, results, ALGORITHMS, "enemies", greedy_win_rate)
        axis.set_xticks(values_of(results, "enemies"))
        add_legend(axis)
        return figure


def _table(results: Sequence[RunResult], reading: Reading) -> str:
    return comparison_table(
        "enemies",
        {f"{share:g} %": share for share in values_of(results, "enemies")},
        ALGORITHMS,
        lambda share, algorithm: mean_of(
            select(results, enemies=share, algorithm=algorithm), reading
        ),
    )
