"""Table 1: the reward of the Lv-C levels over the size of the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering.line_styles import LineStyle, line_style
from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, QMIX
from marl_pr.paper.drawing import add_legend, one_axis, team_size_scale
from marl_pr.paper.first_stages import ppo_ma, qmix
from marl_pr.paper.interval_bars import interval_bars, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table, number_cell
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    average_responsibility,
    by_label,
    final_responsibility,
    mean_of,
    middle_of,
    select,
    values_of,
)
from marl_pr.paper.shares import mean_share

_HEADER = (
    "algorithm",
    "N",
    "runs",
    "paper",
    "final",
    "final, IQM",
    "average",
    "average, IQM",
)


@final
class Table1(Item):
    """PPO-MA and Fine-tuned QMIX without resonance."""

    name = "table1"
    title = "Table 1: the average reward of the Lv-C levels, 1A4B2C, without resonance"
    notes = (
        "The paper does not say what its average is over, so there are two readings. Both are of "
        "the exact expected reward of the greedy team, the mean over the two Lv-C levels: "
        "*final*, after the training, and *average*, over all evaluations during the training. "
        "Brackets: 95 % bootstrap interval over runs; where all runs end at 1.00, or all at 0.00, "
        "Clopper and Pearson's. IQM: interquartile mean over runs."
    )
    teams: ClassVar[tuple[int, ...]] = (3, 5, 6, 7, 8, 15, 25, 40)
    #: What the paper prints, in the order of ``teams``.
    printed: ClassVar[dict[str, tuple[float, ...]]] = {
        PPO_MA: (1.00, 1.00, 0.87, 0.00, 0.00, 0.00, 0.00, 0.00),
        QMIX: (1.00, 1.00, 1.00, 1.00, 0.95, 0.85, 0.27, 0.16),
    }

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Every team with both hosts.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        teams = scale.of(self.teams)
        with_ppo_ma = [
            ppo_ma(scale, agents, seed)
            for agents in teams
            for seed in range(seeds.ppo_ma)
        ]
        with_qmix = [
            qmix(scale, agents, seed) for agents in teams for seed in range(seeds.qmix)
        ]
        return [*with_ppo_ma, *with_qmix]

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each host and team.

        Args:
            results: of the runs that there are.
        """
        rows = []
        for algorithm in self.printed:
            for agents in values_of(results, "agents"):
                runs = select(results, algorithm=algorithm, agents=agents)
                rows.append(self._row(algorithm, int(agents), runs))
        return markdown_table(_HEADER, rows)

    def _row(self, algorithm: str, agents: int, runs: Sequence[RunResult]) -> list[str]:
        printed = self.printed[algorithm][self.teams.index(agents)]
        return [
            algorithm,
            str(agents),
            str(len(runs)),
            number_cell(printed),
            interval_cell(mean_share(runs, final_responsibility)),
            number_cell(middle_of(runs, final_responsibility)),
            interval_cell(mean_of(runs, average_responsibility)),
            number_cell(middle_of(runs, average_responsibility)),
        ]

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Final reward over N, with the paper's numbers as hollow markers.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis("", "Lv-C reward")
        draw_beside_printed(axis, results)
        team_size_scale(axis, self.teams)
        add_legend(axis, title=what_bars_show(results))
        return figure


def draw_beside_printed(axis: Axes, results: Sequence[RunResult]) -> None:
    """Draw the final Lv-C reward of each host over N, and what the paper prints.

    Args:
        axis: the plot.
        results: of the runs that there are.
    """
    for index, algorithm in enumerate(Table1.printed):
        style = line_style(index)
        groups = by_label(select(results, algorithm=algorithm), "agents")
        label = f"{algorithm}, measured"
        interval_bars(axis, groups, final_responsibility, label, style)
        _draw_printed(axis, algorithm, style)


def _draw_printed(axis: Axes, algorithm: str, style: LineStyle) -> None:
    axis.plot(
        Table1.teams,
        Table1.printed[algorithm],
        linestyle="none",
        marker=style.marker,
        markersize=10,
        markerfacecolor="none",
        color=style.colour,
        label=f"{algorithm}, paper",
    )
