"""What the theory predicts of Table 1, beside what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import interval_bars, team_size_scale
from marl_pr.paper.experiments import PPO_MA, QMIX, TAG
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    by_label,
    final_responsibility,
    mean_of,
    select,
    values_of,
)
from marl_pr.paper.table1 import Table1
from marl_pr.theory.predictions import (
    Setting,
    TeamPrediction,
    policy_based_sizes,
    predictions,
)
from marl_pr.theory.responsibility import (
    epsilon_greedy_penalty,
    epsilon_greedy_probability,
)
from marl_pr.theory.team_sizes import CriticalSizes, critical_sizes
from marl_pr.theory.trap import trap_signal
from marl_pr.theory.value_based import critical_team_size

#: The teams over which curves are drawn.
_CURVE = (*range(2, 16), 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 60)


@final
class Theory(Item):
    """Section 3 and Appendix A.4 worked out."""

    name = "theory"
    title = "At which team size each host falls into the trap of Lv-C: predicted and measured (not in the paper)"
    notes = (
        "The formulas are in docs/paper/theory.md. *Stability*: the greatest eigenvalue, at the policy that all agents"
        " share, for agents that move apart; below 0 a team that starts there stays. *Eq. 10*: whether entropy lets"
        " any agent above the threshold. *Way out*: whether a policy with one agent stepped back is stationary."
        " *Gradient ascent*: of 64 teams that climb the exact gradient from nearly uniform policies, the share that"
        " is not trapped. *Signal*: E[R | u_gamma] minus E[R | another action] when all others are epsilon-greedy on"
        " u_gamma with epsilon at its end; the trap holds itself up where it is not below 0. *Least eta*: above it,"
        " resonance makes it fall. *Measured*: exact reward of the greedy team at the Lv-C levels after training,"
        " mean over runs [95 % bootstrap interval]."
    )
    setting: ClassVar[Setting] = Setting(tag=TAG)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Those of Table 1."""
        return Table1().jobs(scale, seeds)

    def table(self, results: Sequence[RunResult]) -> str:
        """The critical sizes, then a table for each host with the teams that were measured."""
        rows = predictions(
            [int(agents) for agents in values_of(results, "agents")], self.setting
        )
        return "\n".join(
            [
                _sizes_table(self.setting),
                _policy_table(rows, results),
                _value_table(rows, results),
            ]
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Over N: probabilities against the threshold; rewards and their slopes; what is measured."""
        figure = Figure(figsize=(8, 10), layout="constrained")
        axes = figure.subplots(3, 1)
        sizes = policy_based_sizes(self.setting)
        _draw_probabilities(axes[0], self.setting)
        _draw_rewards(axes[1], self.setting)
        _draw_measured(axes[2], results)
        for axis in axes:
            _mark_sizes(
                axis,
                sizes,
                critical_team_size(self.setting.epsilon, self.setting.actions),
            )
            team_size_scale(axis, [2, *Table1.teams, 60])
            axis.set_xlim(1.9, 64)
            axis.set_xlabel("N, agents in the team")
            axis.grid(alpha=0.3)
            axis.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def _printed(algorithm: str, agents: int) -> str:
    known = dict(zip(Table1.teams, Table1.printed[algorithm], strict=True))
    return f"{known[agents]:.2f}" if agents in known else "not printed"


def _measured(results: Sequence[RunResult], algorithm: str, agents: int) -> str:
    return interval_cell(
        mean_of(
            select(results, algorithm=algorithm, agents=agents), final_responsibility
        )
    )


def _sizes_table(setting: Setting) -> str:
    plain = critical_sizes(setting.actions, setting.coefficient)
    own = policy_based_sizes(setting)
    value = critical_team_size(setting.epsilon, setting.actions)
    rows = [
        ["PPO-MA: the trap is stable", _size(plain.trap), _size(own.trap)],
        ["PPO-MA: there is no way out", _size(plain.no_way_out), _size(own.no_way_out)],
        [
            "PPO-MA: Eq. 10 is out of reach (the paper's argument)",
            _size(plain.out_of_reach),
            _size(own.out_of_reach),
        ],
        [
            "QMIX: the trap holds itself up at the end of annealing",
            _size(value),
            _size(value),
        ],
    ]
    return markdown_table(
        ["smallest N at which", "sigma = 1", "sigma of the task"], rows
    )


def _size(agents: int | None) -> str:
    return "none" if agents is None else str(agents)


def _policy_table(rows: Sequence[TeamPrediction], results: Sequence[RunResult]) -> str:
    header = [
        "PPO-MA, N",
        "threshold",
        "sigma",
        "p*",
        "stability",
        "Eq. 10",
        "way out",
        "gradient ascent",
        "least eta",
    ]
    body = [
        [
            str(row.agents),
            f"{row.threshold:.3f}",
            f"{row.trap.deviation:.2f}",
            f"{row.trap.symmetric_point():.3f}",
            f"{row.trap.symmetry_breaking():+.3f}",
            _yes(row.trap.threshold_in_reach()),
            _yes(row.negotiated is not None),
            f"{1 - row.trapped_share:.2f}",
            f"{row.least_eta_policy:.3f}",
            _printed(PPO_MA, row.agents),
            _measured(results, PPO_MA, row.agents),
        ]
        for row in rows
    ]
    return markdown_table([*header, "paper", "measured"], body)


def _value_table(rows: Sequence[TeamPrediction], results: Sequence[RunResult]) -> str:
    header = [
        "QMIX, N",
        "threshold",
        "trapped above epsilon",
        "of annealing",
        "signal",
        "signal/noise",
        "least eta",
    ]
    body = [
        [
            str(row.agents),
            f"{row.threshold:.3f}",
            f"{row.critical_epsilon:.3f}",
            f"{row.trapped_annealing:.0%}",
            f"{row.trap_signal.difference:+.4f}",
            f"{row.trap_signal.ratio:+.3f}",
            f"{row.least_eta_value:.3f}",
            _printed(QMIX, row.agents),
            _measured(results, QMIX, row.agents),
        ]
        for row in rows
    ]
    return markdown_table([*header, "paper", "measured"], body)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _draw_probabilities(axis: Axes, setting: Setting) -> None:
    """Eq. 10, and how far entropy and epsilon let agents come."""
    teams = np.array(_CURVE)
    traps = [setting.trap_of(agents) for agents in _CURVE]
    axis.plot(teams, teams ** (-1 / (teams - 1)), "k", label="threshold, Eq. 10")
    axis.plot(
        teams,
        [trap.greatest_probability() for trap in traps],
        "C0",
        label="the most that entropy allows",
    )
    axis.plot(
        teams,
        [trap.symmetric_point() for trap in traps],
        "C0--",
        label="p*, all agents alike",
    )
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    axis.axhline(
        greedy, color="C1", label=f"epsilon-greedy, epsilon = {setting.epsilon:g}"
    )
    axis.set_ylabel("pi(u_gamma)")


def _draw_rewards(axis: Axes, setting: Setting) -> None:
    """Eq. 3 and 20, 5, and 6 times N-1, in the trap of either host."""
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    trapped = [setting.trap_of(agents).symmetric_point() for agents in _CURVE]
    for colour, favourites in (("C0", trapped), ("C1", [greedy] * len(_CURVE))):
        signals = [
            trap_signal(agents, p) for agents, p in zip(_CURVE, favourites, strict=True)
        ]
        slopes = [
            signal.difference * (agents - 1)
            for agents, signal in zip(_CURVE, signals, strict=True)
        ]
        rewards = [
            agents / (agents - 1) * (p - signal.penalty)
            for agents, p, signal in zip(_CURVE, favourites, signals, strict=True)
        ]
        host = PPO_MA if colour == "C0" else QMIX
        axis.plot(_CURVE, rewards, color=colour, label=f"E[R], Eq. 5, {host}")
        axis.plot(
            _CURVE,
            slopes,
            color=colour,
            linestyle="--",
            label=f"(N-1) dE[R]/dpi, Eq. 6, {host}",
        )
    penalties = [p**agents for agents, p in zip(_CURVE, trapped, strict=True)]
    axis.plot(_CURVE, penalties, "C0:", label=f"P of the penalty, Eq. 3, {PPO_MA}")
    eq_20 = [
        epsilon_greedy_penalty(setting.epsilon, setting.actions, agents)
        for agents in _CURVE
    ]
    axis.plot(_CURVE, eq_20, "C1:", label=f"P of the penalty, Eq. 20, {QMIX}")
    axis.set_ylim(-1.5, 1.1)
    axis.set_ylabel("in the trap")


def _draw_measured(axis: Axes, results: Sequence[RunResult]) -> None:
    for place, (algorithm, printed) in enumerate(Table1.printed.items()):
        groups = by_label(select(results, algorithm=algorithm), "agents")
        interval_bars(
            axis, groups, final_responsibility, f"{algorithm}, measured", place
        )
        axis.plot(
            Table1.teams, printed, "x", color=f"C{place}", label=f"{algorithm}, paper"
        )
    axis.set_ylabel("Lv-C reward")


def _mark_sizes(axis: Axes, policy: CriticalSizes, value: int | None) -> None:
    """From the first stable trap to where there is no way out; and where epsilon-greedy is trapped."""
    if policy.trap is not None:
        axis.axvspan(
            policy.trap,
            policy.no_way_out or _CURVE[-1],
            color="C0",
            alpha=0.15,
            label=f"{PPO_MA}: trap stable",
        )
    if value is not None:
        axis.axvline(value, color="C1", alpha=0.5, label=f"{QMIX}: trap holds")
