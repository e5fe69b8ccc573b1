"""The final return over p_min and eta_max: a map that the paper lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import heat_map
from marl_pr.paper.experiments import (
    LARGE_TEAM,
    OPTIMUM,
    PPO_MA_PR,
    PPO_MA_PR_FAST,
    ppo_ma,
    resonant,
    unique,
)
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select, values_of


@final
class PMin(Item):
    """p_min of Eq. 18 against eta_max, for both variants."""

    name = "pmin"
    title = f"Final return over p_min and eta_max, 1A4B2C, N = {LARGE_TEAM} (not in the paper)"
    notes = (
        "The paper bounds p_min by 1/n_k = 0.1 and prints no value; the authors' demonstration ran with 0.2. Exact"
        " return of the greedy team, mean over runs [95 % bootstrap interval]; the optimum is 7."
    )
    least: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.2, 0.3)
    etas: ClassVar[tuple[float, ...]] = (0.3, 0.5, 0.75)
    algorithms: ClassVar[tuple[str, ...]] = (PPO_MA_PR, PPO_MA_PR_FAST)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Every pair of values goes on from the same first stage."""
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        resonating = [
            resonant(one, scale, variant, eta_max=eta, p_min=p_min)
            for one in plain  # seed after seed, so that an interrupted sweep has a whole map of fewer seeds
            for variant in ("pr", "pr_fast")
            for p_min in scale.of(self.least)
            for eta in scale.of(self.etas)
        ]
        return unique([*plain, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A table for each variant: a row for each p_min, a column for each eta_max."""
        return "\n".join(self._map(results, algorithm) for algorithm in self.algorithms)

    def _map(self, results: Sequence[RunResult], algorithm: str) -> str:
        runs = select(results, algorithm=algorithm)
        columns = {f"eta_max {eta:g}": eta for eta in values_of(runs, "eta_max")}
        table = comparison_table(
            "p_min",
            {f"{p_min:g}": p_min for p_min in values_of(runs, "p_min")},
            tuple(columns),
            lambda p_min, column: mean_of(
                select(runs, p_min=p_min, eta_max=columns[column]), final_return
            ),
        )
        return f"**{algorithm}**\n\n{table}"

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A heat map for each variant."""
        figure = Figure(figsize=(10, 4), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, algorithm in zip(axes, self.algorithms, strict=True):
            runs = select(results, algorithm=algorithm)
            image = heat_map(
                axis,
                runs,
                across="eta_max",
                up="p_min",
                reading=final_return,
                limits=(0, OPTIMUM),
            )
            axis.set_title(algorithm)
        figure.colorbar(image, ax=list(axes), label="final return")
        return figure
