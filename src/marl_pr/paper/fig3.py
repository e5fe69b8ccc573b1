"""Fig. 3: two-stage training with PR and with PR-Fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import return_curves
from marl_pr.paper.experiments import (
    LARGE_TEAM,
    PPO_MA,
    PPO_MA_PR,
    PPO_MA_PR_FAST,
    ppo_ma,
    resonant,
    unique,
)
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table, number_cell
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    final_responsibility,
    final_return,
    mean_of,
    middle_of,
    select,
)


@final
class Fig3(Item):
    """The learning curve of PPO-MA with resonance in the second stage."""

    name = "fig3"
    title = f"Fig. 3: two-stage training of PPO-MA with PR and PR-Fast, 1A4B2C, N = {LARGE_TEAM}"
    notes = (
        f"The paper does not print N for this figure; {LARGE_TEAM} is what it prints for Fig. 9. Values: exact return"
        " of the greedy team, resonance taken out. Lines are means over runs, bands reach from the lowest to the"
        " highest. *PPO-MA* is the team at the end of the first stage. Brackets: 95 % bootstrap interval."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Both variants go on from the same first stage."""
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        return unique(
            [
                *plain,
                *(
                    resonant(one, scale, variant)
                    for variant in ("pr", "pr_fast")
                    for one in plain
                ),
            ]
        )

    def table(self, results: Sequence[RunResult]) -> str:
        """Before resonance, and after either variant of it."""
        rows = []
        for algorithm in (PPO_MA, PPO_MA_PR, PPO_MA_PR_FAST):
            runs = select(results, algorithm=algorithm)
            intervals = [
                interval_cell(mean_of(runs, reading))
                for reading in (final_return, final_responsibility)
            ]
            rows.append(
                [
                    algorithm,
                    str(len(runs)),
                    *intervals,
                    number_cell(middle_of(runs, final_return)),
                ]
            )
        return markdown_table(
            ["algorithm", "runs", "final return", "final Lv-C reward", "return, IQM"],
            rows,
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Return and eta over episodes."""
        return return_curves(
            {
                name: select(results, algorithm=name)
                for name in (PPO_MA_PR, PPO_MA_PR_FAST)
            }
        )
