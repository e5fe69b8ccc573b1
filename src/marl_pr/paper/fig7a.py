"""Fig. 7a: the final return over the greatest resonance probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA_PR_FAST
from marl_pr.paper.drawing import add_legend, mark_optimum, one_axis
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.fixed_settings import LARGE_TEAM, P_MIN
from marl_pr.paper.interval_bars import bars_of_each, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select, values_of
from marl_pr.paper.second_stages import resonant


@final
class Fig7a(Item):
    """PR-Fast, the dependable variant; the paper does not say which one it shows."""

    name = "fig7a"
    title = (
        f"Fig. 7a: final return over eta_max, 1A4B2C, N = {LARGE_TEAM}, p_min = {P_MIN}"
    )
    notes = (
        f"The paper prints neither N nor the variant; N = {LARGE_TEAM} and PR-Fast were chosen. "
        "eta_max = 0 is a second stage without resonance, but with a head for each agent. Exact "
        "return of the greedy team, mean over runs [95 % bootstrap interval]."
    )
    etas: ClassVar[tuple[float, ...]] = tuple(tenth / 10 for tenth in range(10))
    algorithms: ClassVar[tuple[str, ...]] = (PPO_MA_PR_FAST,)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs of every eta_max continue the same first stages.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        resonating = [
            resonant(one, scale, "pr_fast", eta_max=eta)
            for eta in scale.of(self.etas)
            for one in plain
        ]
        return unique([*plain, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each eta_max.

        Args:
            results: of the runs that there are.
        """

        def cell(eta: float, algorithm: str) -> Interval | None:
            runs = select(results, eta_max=eta, algorithm=algorithm)
            return mean_of(runs, final_return)

        rows = {f"{eta:g}": eta for eta in values_of(results, "eta_max")}
        return comparison_table("eta_max", rows, self.algorithms, cell)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """The mean and its interval over eta_max.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis(
            "greatest resonance probability, eta_max", "final return"
        )
        bars_of_each(axis, results, self.algorithms, "eta_max", final_return)
        mark_optimum(axis)
        add_legend(axis, title=what_bars_show(results))
        return figure
