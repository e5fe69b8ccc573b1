"""Fig. 5: the final return over the size of the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, PPO_MA_PR, PPO_MA_PR_FAST, QMIX
from marl_pr.paper.drawing import add_legend, mark_optimum, one_axis, team_size_scale
from marl_pr.paper.first_stages import ppo_ma, qmix
from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.interval_bars import bars_of_each, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select, values_of
from marl_pr.paper.second_stages import both_variants


@final
class Fig5(Item):
    """PPO-MA and Fine-tuned QMIX, and PPO-MA with resonance."""

    name = "fig5"
    title = "Fig. 5: final return over N, 1A4B2C"
    notes = (
        "Exact return of the greedy team, without resonance; the optimum is 7. Mean over runs "
        "[95 % bootstrap interval]. Runs with resonance were trained longer, by the second stage; "
        "Fig. 7a shows at eta_max = 0 what that is worth without resonance."
    )
    teams: ClassVar[tuple[int, ...]] = (3, 5, 8, 15, 25, LARGE_TEAM, 40)
    algorithms: ClassVar[tuple[str, ...]] = (PPO_MA, QMIX, PPO_MA_PR, PPO_MA_PR_FAST)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Runs of Table 1 and of N = 30, and runs that continue them in resonance.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        teams = scale.of(self.teams)
        plain = [
            ppo_ma(scale, agents, seed)
            for agents in teams
            for seed in range(seeds.ppo_ma)
        ]
        with_qmix = [
            qmix(scale, agents, seed) for agents in teams for seed in range(seeds.qmix)
        ]
        return unique([*plain, *both_variants(plain, scale), *with_qmix])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each team, a column for each algorithm.

        Args:
            results: of the runs that there are.
        """

        def cell(agents: float, algorithm: str) -> Interval | None:
            runs = select(results, agents=agents, algorithm=algorithm)
            return mean_of(runs, final_return)

        teams = values_of(results, "agents")
        rows = {f"{agents:g}": agents for agents in teams}
        return comparison_table("N", rows, self.algorithms, cell)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A line for each algorithm.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis("", "final return")
        bars_of_each(axis, results, self.algorithms, "agents", final_return)
        mark_optimum(axis)
        team_size_scale(axis, values_of(results, "agents"))
        add_legend(axis, title=what_bars_show(results))
        return figure
