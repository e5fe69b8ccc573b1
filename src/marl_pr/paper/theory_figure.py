"""The figure of ``marl reproduce theory``: three plots over the size of the team.

PPO-MA has one colour and marker in all of them, QMIX another. Dashes tell the quantities apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering.line_styles import LineStyle, line_style
from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, QMIX
from marl_pr.paper.drawing import team_size_scale
from marl_pr.paper.interval_bars import what_bars_show
from marl_pr.paper.table1 import Table1, draw_beside_printed
from marl_pr.theory.predictions import Setting, policy_based_sizes
from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_penalty,
    epsilon_greedy_probability,
)
from marl_pr.theory.team_sizes import CriticalSizes
from marl_pr.theory.trap import trap_signal
from marl_pr.theory.value_based import critical_team_size

#: The teams over which curves are drawn.
_TEAMS = (*range(2, 16), 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 60)
_PPO_MA_STYLE = line_style(0)
_QMIX_STYLE = line_style(1)


def draw_theory(results: Sequence[RunResult], setting: Setting) -> Figure:
    """Probabilities against the threshold; rewards and their slopes; and what is measured.

    Args:
        results: of the runs that there are.
        setting: what the predictions depend on.
    """
    figure = Figure(figsize=(8, 10), layout="constrained")
    axes = figure.subplots(3, 1)
    _draw_probabilities(axes[0], setting)
    _draw_rewards(axes[1], setting)
    draw_beside_printed(axes[2], results)
    axes[2].set_ylabel("Lv-C reward")
    titles = ("", "", what_bars_show(results))
    for axis, title in zip(axes, titles, strict=True):
        _mark_sizes(axis, policy_based_sizes(setting), _value_based_size(setting))
        _finish(axis, title)
    return figure


def _value_based_size(setting: Setting) -> int | None:
    return critical_team_size(setting.epsilon, setting.actions)


def _finish(axis: Axes, legend_title: str) -> None:
    team_size_scale(axis, [_TEAMS[0], *Table1.teams, _TEAMS[-1]])
    axis.set_xlim(1.9, 64)
    axis.grid(alpha=0.3)
    axis.legend(
        fontsize="x-small",
        title=legend_title,
        title_fontsize="x-small",
        alignment="left",
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )


def _draw_probabilities(axis: Axes, setting: Setting) -> None:
    """Eq. 10, and how far entropy and epsilon let agents come."""
    traps = [setting.trap_of(agents) for agents in _TEAMS]
    threshold = [critical_probability(agents) for agents in _TEAMS]
    greatest = [trap.greatest_probability() for trap in traps]
    shared = [trap.symmetric_point() for trap in traps]
    axis.plot(_TEAMS, threshold, color="black", label="threshold, Eq. 10")
    _curve(axis, greatest, _PPO_MA_STYLE, "-", "the most that entropy allows")
    _curve(axis, shared, _PPO_MA_STYLE, "--", "p*, all agents alike")
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    level = [greedy] * len(_TEAMS)
    label = f"epsilon-greedy, epsilon = {setting.epsilon:g}"
    _curve(axis, level, _QMIX_STYLE, "-", label)
    axis.set_ylabel("pi(u_gamma)")


def _draw_rewards(axis: Axes, setting: Setting) -> None:
    """Eq. 5, Eq. 6 times N-1, and Eq. 3 and 20, in the trap of either host."""
    trapped = [setting.trap_of(agents).symmetric_point() for agents in _TEAMS]
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    _draw_trap(axis, trapped, _PPO_MA_STYLE, PPO_MA)
    _draw_trap(axis, [greedy] * len(_TEAMS), _QMIX_STYLE, QMIX)
    eq_3 = [p**agents for agents, p in zip(_TEAMS, trapped, strict=True)]
    eq_20 = [
        epsilon_greedy_penalty(setting.epsilon, setting.actions, agents)
        for agents in _TEAMS
    ]
    penalty = "P of the penalty"
    _curve(axis, eq_3, _PPO_MA_STYLE, ":", f"{penalty}, Eq. 3, {PPO_MA}")
    _curve(axis, eq_20, _QMIX_STYLE, ":", f"{penalty}, Eq. 20, {QMIX}")
    axis.set_ylim(-1.5, 1.1)
    axis.set_ylabel("in the trap")


def _draw_trap(
    axis: Axes,
    favourites: Sequence[float],
    style: LineStyle,
    host: str,
) -> None:
    """The reward and its slope where all agents take u_gamma with these probabilities."""
    rewards = []
    slopes = []
    for agents, favourite in zip(_TEAMS, favourites, strict=True):
        signal = trap_signal(agents, favourite)
        rewards.append(agents / (agents - 1) * (favourite - signal.penalty))
        slopes.append(signal.difference * (agents - 1))
    _curve(axis, rewards, style, "-", f"E[R], Eq. 5, {host}")
    _curve(axis, slopes, style, "--", f"(N-1) dE[R]/dpi, Eq. 6, {host}")


def _curve(
    axis: Axes,
    values: Sequence[float],
    style: LineStyle,
    dashes: str,
    label: str,
) -> None:
    """A line over all teams, in the colour and with the marker of a host."""
    axis.plot(
        _TEAMS,
        values,
        color=style.colour,
        linestyle=dashes,
        marker=style.marker,
        markersize=4,
        markevery=4,
        label=label,
    )


def _mark_sizes(axis: Axes, policy: CriticalSizes, value: int | None) -> None:
    """Mark where PPO-MA's trap is stable and still has a way out, and where QMIX's begins."""
    if policy.trap is not None:
        axis.axvspan(
            policy.trap,
            policy.no_way_out or _TEAMS[-1],
            color=_PPO_MA_STYLE.colour,
            alpha=0.15,
            label=f"{PPO_MA}: trap stable",
        )
    if value is not None:
        axis.axvline(
            value,
            color=_QMIX_STYLE.colour,
            linestyle="-.",
            alpha=0.5,
            label=f"{QMIX}: trap holds",
        )
