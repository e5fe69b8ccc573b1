"""Fig. 3: two-stage training with PR and with PR-Fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, PPO_MA_PR, PPO_MA_PR_FAST
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table, number_cell
from marl_pr.paper.resonance_curves import return_curves
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    final_responsibility,
    final_return,
    mean_of,
    middle_of,
    select,
)
from marl_pr.paper.second_stages import both_variants
from marl_pr.paper.shares import mean_share


@final
class Fig3(Item):
    """The learning curve of PPO-MA with resonance in the second stage."""

    name = "fig3"
    title = (
        "Fig. 3: two-stage training of PPO-MA with PR and PR-Fast, 1A4B2C, "
        f"N = {LARGE_TEAM}"
    )
    notes = (
        f"The paper does not print N for this figure; {LARGE_TEAM} is what it prints for Fig. 9. "
        "Values: exact return of the greedy team, without resonance. Lines are means over runs, "
        "bands reach from the lowest to the highest. *PPO-MA* is the team at the end of the first "
        "stage. Brackets: 95 % bootstrap interval; where all runs end at 1.00 at Lv-C, or all at "
        "0.00, Clopper and Pearson's."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Both variants continue the same first stages.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [ppo_ma(scale, LARGE_TEAM, seed) for seed in range(seeds.ppo_ma)]
        return unique([*plain, *both_variants(plain, scale)])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row before resonance, and one after each variant of it.

        Args:
            results: of the runs that there are.
        """
        header = [
            "algorithm",
            "runs",
            "final return",
            "final Lv-C reward",
            "return, IQM",
        ]
        rows = []
        for algorithm in (PPO_MA, PPO_MA_PR, PPO_MA_PR_FAST):
            runs = select(results, algorithm=algorithm)
            cells = [
                interval_cell(mean_of(runs, final_return)),
                interval_cell(mean_share(runs, final_responsibility)),
                number_cell(middle_of(runs, final_return)),
            ]
            rows.append([algorithm, str(len(runs)), *cells])
        return markdown_table(header, rows)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Return and eta over episodes.

        Args:
            results: of the runs that there are.
        """
        algorithms = (PPO_MA_PR, PPO_MA_PR_FAST)
        return return_curves(
            {name: select(results, algorithm=name) for name in algorithms}
        )
