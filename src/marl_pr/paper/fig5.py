"""Fig. 5: the final return over the size of the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import (
    add_legend,
    bars_of_each,
    mark_optimum,
    one_axis,
    team_size_scale,
)
from marl_pr.paper.experiments import (
    LARGE_TEAM,
    PPO_MA,
    PPO_MA_PR,
    PPO_MA_PR_FAST,
    QMIX,
    ppo_ma,
    qmix,
    resonant,
    unique,
)
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import final_return, mean_of, select, values_of


@final
class Fig5(Item):
    """PPO-MA and Fine-tuned QMIX, and PPO-MA with resonance."""

    name = "fig5"
    title = "Fig. 5: final return over N, 1A4B2C"
    notes = (
        "Exact return of the greedy team, resonance taken out; the optimum is 7. Mean over runs [95 % bootstrap"
        " interval]. Runs with resonance were trained longer, by the second stage; Fig. 7a shows at eta_max = 0"
        " what that is worth without resonance."
    )
    teams: ClassVar[tuple[int, ...]] = (3, 5, 8, 15, 25, LARGE_TEAM, 40)
    algorithms: ClassVar[tuple[str, ...]] = (PPO_MA, QMIX, PPO_MA_PR, PPO_MA_PR_FAST)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Runs of Table 1, and what goes on from them in resonance; N = 30 besides."""
        teams = scale.of(self.teams)
        plain = [
            ppo_ma(scale, agents, seed)
            for agents in teams
            for seed in range(seeds.ppo_ma)
        ]
        resonating = [
            resonant(one, scale, variant)
            for variant in ("pr", "pr_fast")
            for one in plain
        ]
        return unique(
            [
                *plain,
                *resonating,
                *(qmix(scale, n, seed) for n in teams for seed in range(seeds.qmix)),
            ]
        )

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each team, a column for each algorithm."""
        return comparison_table(
            "N",
            {f"{agents:g}": agents for agents in values_of(results, "agents")},
            self.algorithms,
            lambda agents, algorithm: mean_of(
                select(results, agents=agents, algorithm=algorithm), final_return
            ),
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A line for each algorithm."""
        figure, axis = one_axis("N, agents in the team", "final return")
        bars_of_each(axis, results, self.algorithms, "agents", final_return)
        mark_optimum(axis)
        team_size_scale(axis, values_of(results, "agents"))
        add_legend(axis)
        return figure
