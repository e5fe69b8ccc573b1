"""Fig. 9: the team's coin for each step against the coin for each episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import return_curves
from marl_pr.paper.experiments import LARGE_TEAM, Coin, ppo_ma, resonant, unique
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    chance_of_improvement,
    final_responsibility,
    final_return,
    mean_of,
    select,
)


@final
class Fig9(Item):
    """Two lines of Algorithm 1 that could change places."""

    name = "fig9"
    title = f"Fig. 9: step-level against episode-level resonance, PPO-MA + PR-Fast, 1A4B2C, N = {LARGE_TEAM}"
    notes = (
        "The paper does not say whether the figure shows PR or PR-Fast; PR-Fast was chosen. Exact return of the greedy"
        " team, mean over runs [95 % bootstrap interval]; the figure's bands reach from the lowest run to the highest."
    )
    coins: ClassVar[tuple[Coin, ...]] = ("episode", "step")

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Both go on from the same first stage."""
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        return unique(
            [
                *plain,
                *(
                    resonant(one, scale, "pr_fast", coin=coin)
                    for coin in self.coins
                    for one in plain
                ),
            ]
        )

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each coin, then how likely one beats the other."""
        groups = {coin: select(results, coin=coin) for coin in self.coins}
        rows = [
            [
                f"{coin} level",
                str(len(runs)),
                *(interval_cell(mean_of(runs, r)) for r in _READINGS),
            ]
            for coin, runs in groups.items()
        ]
        chance = interval_cell(
            chance_of_improvement(groups["step"], groups["episode"], final_return)
        )
        sentence = f"Probability that a step-level run ends higher than an episode-level one: {chance}.\n"
        return (
            markdown_table(
                ["the team's coin", "runs", "final return", "final Lv-C reward"], rows
            )
            + "\n"
            + sentence
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Return and eta over episodes."""
        return return_curves(
            {f"{coin} level": select(results, coin=coin) for coin in self.coins}
        )


_READINGS = (final_return, final_responsibility)
