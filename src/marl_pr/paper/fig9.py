"""Fig. 9: a coin of the team for each step against a coin for each episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.resonance_curves import return_curves
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    chance_of_improvement,
    final_responsibility,
    final_return,
    mean_of,
    select,
)
from marl_pr.paper.second_stages import Coin, resonant
from marl_pr.paper.shares import mean_share


@final
class Fig9(Item):
    """The coin is tossed at line 5 of Algorithm 1, or at line 7."""

    name = "fig9"
    title = (
        "Fig. 9: step-level against episode-level resonance, PPO-MA + PR-Fast, 1A4B2C, "
        f"N = {LARGE_TEAM}"
    )
    notes = (
        "The paper does not say whether the figure shows PR or PR-Fast; PR-Fast was chosen. Exact "
        "return of the greedy team, mean over runs [95 % bootstrap interval]; the figure's bands "
        "reach from the lowest run to the highest."
    )
    coins: ClassVar[tuple[Coin, ...]] = ("episode", "step")

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs of both coins continue the same first stages.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        resonating = [
            resonant(one, scale, "pr_fast", coin=coin)
            for coin in self.coins
            for one in plain
        ]
        return unique([*plain, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each coin, and the probability that one is better than the other.

        Args:
            results: of the runs that there are.
        """
        header = ["the team's coin", "runs", "final return", "final Lv-C reward"]
        rows = []
        for coin in self.coins:
            runs = select(results, coin=coin)
            cells = [
                interval_cell(mean_of(runs, final_return)),
                interval_cell(mean_share(runs, final_responsibility)),
            ]
            rows.append([f"{coin} level", str(len(runs)), *cells])
        return f"{markdown_table(header, rows)}\n{_chance(results)}"

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Return and eta over episodes.

        Args:
            results: of the runs that there are.
        """
        groups = {f"{coin} level": select(results, coin=coin) for coin in self.coins}
        return return_curves(groups)


def _chance(results: Sequence[RunResult]) -> str:
    chance = chance_of_improvement(
        select(results, coin="step"),
        select(results, coin="episode"),
        final_return,
    )
    return (
        "Probability that a step-level run ends higher than an episode-level one: "
        f"{interval_cell(chance)}.\n"
    )
