"""What the theory predicts for Table 1, beside what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.fixed_settings import TAG
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import values_of
from marl_pr.paper.table1 import Table1
from marl_pr.paper.theory_figure import draw_theory
from marl_pr.paper.theory_tables import policy_table, sizes_table, value_table
from marl_pr.theory.predictions import Setting, predictions


@final
class Theory(Item):
    """Section 3 and Appendix A.4, worked out in numbers."""

    name = "theory"
    title = (
        "At which team size each host falls into the trap of Lv-C: predicted and measured "
        "(not in the paper)"
    )
    notes = (
        "The formulas are in docs/paper/theory.md. *Stability*: the largest eigenvalue, at the "
        "policy that all agents share, for agents that move apart; below 0 a team that starts "
        "there stays. *Eq. 10*: whether entropy lets any agent be above the threshold. *Way out*: "
        "whether a policy with one agent stepped back is stationary. *Gradient ascent*: of 64 "
        "teams that climb the exact gradient from nearly uniform policies, the share that is not "
        "trapped. *Signal*: E[R | u_gamma] minus E[R | another action] when all others are "
        "epsilon-greedy on u_gamma with epsilon at its end; the trap is self-consistent where it "
        "is not below 0. *Least eta*: above it, resonance dissolves the trap. *Measured*: exact "
        "reward of the greedy team at the Lv-C levels after training, mean over runs "
        "[95 % bootstrap interval; where all are 1.00, or all 0.00, Clopper and Pearson's]."
    )
    setting: ClassVar[Setting] = Setting(tag=TAG)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The runs of Table 1.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        return Table1().jobs(scale, seeds)

    def table(self, results: Sequence[RunResult]) -> str:
        """The critical sizes, and a table for each host with the teams that were measured.

        Args:
            results: of the runs that there are.
        """
        teams = [int(agents) for agents in values_of(results, "agents")]
        rows = predictions(teams, self.setting)
        parts = [
            sizes_table(self.setting),
            policy_table(rows, results),
            value_table(rows, results),
        ]
        return "\n".join(parts)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Three plots over N: probabilities, rewards, and what is measured.

        Args:
            results: of the runs that there are.
        """
        return draw_theory(results, self.setting)
