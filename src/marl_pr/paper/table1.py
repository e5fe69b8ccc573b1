"""Table 1: the reward of the Lv-C levels over the size of the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import add_legend, interval_bars, one_axis, team_size_scale
from marl_pr.paper.experiments import PPO_MA, QMIX, ppo_ma, qmix
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table, number_cell
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    Reading,
    average_responsibility,
    by_label,
    final_responsibility,
    mean_of,
    middle_of,
    select,
    values_of,
)


@final
class Table1(Item):
    """PPO-MA and Fine-tuned QMIX without resonance."""

    name = "table1"
    title = "Table 1: the average reward of the Lv-C levels, 1A4B2C, without resonance"
    notes = (
        "The paper does not say what its average is over, so there are two readings, both of the exact expected reward"
        " of the greedy team, the mean over the two Lv-C levels: *final*, after the training, and *average*, over all"
        " evaluations during the training. Brackets: 95 % bootstrap interval over runs; IQM: interquartile"
        " mean over runs."
    )
    teams: ClassVar[tuple[int, ...]] = (3, 5, 6, 7, 8, 15, 25, 40)
    #: What the paper prints, in the order of ``teams``.
    printed: ClassVar[dict[str, tuple[float, ...]]] = {
        PPO_MA: (1.00, 1.00, 0.87, 0.00, 0.00, 0.00, 0.00, 0.00),
        QMIX: (1.00, 1.00, 1.00, 1.00, 0.95, 0.85, 0.27, 0.16),
    }

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Every team with both hosts."""
        teams = scale.of(self.teams)
        return [
            *(
                ppo_ma(scale, agents, seed)
                for agents in teams
                for seed in range(seeds.ppo_ma)
            ),
            *(
                qmix(scale, agents, seed)
                for agents in teams
                for seed in range(seeds.qmix)
            ),
        ]

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each host and team."""
        header = [
            "algorithm",
            "N",
            "runs",
            "paper",
            "final",
            "final, IQM",
            "average",
            "average, IQM",
        ]
        rows = [
            self._row(
                algorithm,
                int(agents),
                select(results, algorithm=algorithm, agents=agents),
            )
            for algorithm in self.printed
            for agents in values_of(results, "agents")
        ]
        return markdown_table(header, rows)

    def _row(self, algorithm: str, agents: int, runs: Sequence[RunResult]) -> list[str]:
        readings: tuple[Reading, ...] = (final_responsibility, average_responsibility)
        printed = self.printed[algorithm][self.teams.index(agents)]
        ours = [
            cell
            for r in readings
            for cell in (
                interval_cell(mean_of(runs, r)),
                number_cell(middle_of(runs, r)),
            )
        ]
        return [algorithm, str(agents), str(len(runs)), number_cell(printed), *ours]

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Final reward over N, the paper's numbers as crosses."""
        figure, axis = one_axis("N, agents in the team", "Lv-C reward")
        for place, algorithm in enumerate(self.printed):
            runs = select(results, algorithm=algorithm)
            interval_bars(
                axis, by_label(runs, "agents"), final_responsibility, algorithm, place
            )
            axis.plot(
                self.teams,
                self.printed[algorithm],
                "x",
                color=f"C{place}",
                label=f"{algorithm}, paper",
            )
        team_size_scale(axis, self.teams)
        add_legend(axis)
        return figure
