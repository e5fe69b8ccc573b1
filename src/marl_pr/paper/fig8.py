"""Fig. 8: PPO-MA and Fine-tuned QMIX over the tasks of Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.rendering.line_styles import line_style
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_envs.fme.tags import TABLE_2
from marl_pr.paper.algorithms import PPO_MA, QMIX
from marl_pr.paper.drawing import add_legend, mark_optimum, one_axis
from marl_pr.paper.first_stages import ppo_ma, qmix
from marl_pr.paper.interval_bars import interval_bars, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select


@final
class Fig8(Item):
    """The more Lv-C levels a task has, the more return can be lost.

    Args:
        agents: N, which the paper does not print for this figure.
    """

    name = "fig8"

    def __init__(self, agents: int = 15) -> None:
        self._agents = agents
        self.title = (
            f"Fig. 8: final return over the tasks of Table 2, N = {agents}, without "
            "resonance"
        )
        self.notes = (
            f"The paper does not print N for this figure; {agents} was chosen, where Table 1 "
            "tells the two hosts apart. Exact return of the greedy team, mean over runs "
            "[95 % bootstrap interval]; the optimum is always 7."
        )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Every task with both hosts.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        tags = scale.of(tuple(TABLE_2))
        with_ppo_ma = [
            ppo_ma(scale, self._agents, seed, tag)
            for tag in tags
            for seed in range(seeds.ppo_ma)
        ]
        with_qmix = [
            qmix(scale, self._agents, seed, tag)
            for tag in tags
            for seed in range(seeds.qmix)
        ]
        return [*with_ppo_ma, *with_qmix]

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each task, a column for each host.

        Args:
            results: of the runs that there are.
        """

        def cell(tag: str, algorithm: str) -> Interval | None:
            runs = select(results, task=tag, algorithm=algorithm)
            return mean_of(runs, final_return)

        rows = {tag: tag for tag in _tags(results)}
        return comparison_table("task", rows, (PPO_MA, QMIX), cell)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A line for each host.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis("task", "final return")
        for index, algorithm in enumerate((PPO_MA, QMIX)):
            runs = select(results, algorithm=algorithm)
            groups: dict[Label, list[RunResult]] = {
                tag: select(runs, task=tag) for tag in _tags(results)
            }
            interval_bars(axis, groups, final_return, algorithm, line_style(index))
        mark_optimum(axis)
        add_legend(axis, title=what_bars_show(results))
        return figure


def _tags(results: Sequence[RunResult]) -> list[str]:
    """The tasks that there are runs of, in the order of Table 2."""
    found = {run.labels["task"] for run in results}
    return [tag for tag in TABLE_2 if tag in found]
