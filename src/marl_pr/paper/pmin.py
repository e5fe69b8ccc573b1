"""The final return over p_min and eta_max: a map that is not in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA_PR, PPO_MA_PR_FAST, Variant
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.heat_map import cells_of, colour_limits, draw_heat_map
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select, values_of
from marl_pr.paper.second_stages import resonant

_VARIANTS: tuple[Variant, ...] = ("pr", "pr_fast")


@final
class PMin(Item):
    """p_min of Eq. 18 against eta_max, for both variants."""

    name = "pmin"
    title = f"Final return over p_min and eta_max, 1A4B2C, N = {LARGE_TEAM} (not in the paper)"
    notes = (
        "The paper bounds p_min by 1/n_k = 0.1 and prints no value; the authors' demonstration "
        "ran with 0.2. Exact return of the greedy team, mean over runs [95 % bootstrap interval]; "
        "the optimum is 7."
    )
    least: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.2, 0.3)
    etas: ClassVar[tuple[float, ...]] = (0.3, 0.5, 0.75)
    algorithms: ClassVar[tuple[str, ...]] = (PPO_MA_PR, PPO_MA_PR_FAST)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs of every pair of values continue the same first stages.

        They come seed after seed, so that an interrupted sweep has a whole map of fewer seeds.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        resonating = [
            resonant(one, scale, variant, eta_max=eta, p_min=p_min)
            for one in plain
            for variant in _VARIANTS
            for p_min in scale.of(self.least)
            for eta in scale.of(self.etas)
        ]
        return unique([*plain, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A table for each variant: a row for each p_min, a column for each eta_max.

        Args:
            results: of the runs that there are.
        """
        return "\n".join(_map(results, algorithm) for algorithm in self.algorithms)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A heat map for each variant, with a colour scale that reaches over both.

        Args:
            results: of the runs that there are.
        """
        figure = Figure(figsize=(10, 4), layout="constrained")
        axes = figure.subplots(1, len(self.algorithms))
        maps = [
            cells_of(
                select(results, algorithm=algorithm),
                across="eta_max",
                up="p_min",
                reading=final_return,
            )
            for algorithm in self.algorithms
        ]
        limits = colour_limits(maps)
        for axis, algorithm, cells in zip(axes, self.algorithms, maps, strict=True):
            image = draw_heat_map(axis, cells, limits)
            axis.set_title(algorithm)
        figure.colorbar(image, ax=list(axes), label="final return")
        return figure


def _map(results: Sequence[RunResult], algorithm: str) -> str:
    runs = select(results, algorithm=algorithm)
    columns = {f"eta_max {eta:g}": eta for eta in values_of(runs, "eta_max")}
    rows = {f"{p_min:g}": p_min for p_min in values_of(runs, "p_min")}

    def cell(p_min: float, column: str) -> Interval | None:
        chosen = select(runs, p_min=p_min, eta_max=columns[column])
        return mean_of(chosen, final_return)

    table = comparison_table("p_min", rows, tuple(columns), cell)
    return f"**{algorithm}**\n\n{table}"
