"""Charts of the score of a battle."""

from __future__ import annotations

from matplotlib.axes import Axes

from marl_core.rendering import Episode
from marl_core.rendering.palette import BLUISH_GREEN
from marl_envs.adca.battle import Battle
from marl_envs.adca.viewer.outcome import earned
from marl_envs.adca.viewer.shots import battles
from marl_envs.adca.viewer.teams import teams


def draw_score(
    alive_axis: Axes,
    earned_axis: Axes,
    episode: Episode,
    guards: int,
    frame: int,
) -> None:
    """Draw how many live in each team, and what the guards have earned.

    Args:
        alive_axis: where to draw the first chart.
        earned_axis: where to draw the second chart.
        episode: of ADCA.
        guards: how many of the fighters are guards.
        frame: the state, from 0 to T.
    """
    _draw_alive(alive_axis, battles(episode), guards, frame)
    _draw_earned(earned_axis, episode, frame)
    for axis in (alive_axis, earned_axis):
        axis.axvline(frame, color="black", linewidth=0.8)
        axis.set_xlim(0, max(1, episode.steps))
        axis.grid(alpha=0.3)


def _draw_alive(
    axis: Axes,
    states: Battle,
    guards: int,
    frame: int,
) -> None:
    for team in teams(guards):
        count = states.alive[:, team.members].sum(1).numpy()
        axis.plot(
            count,
            color=team.colour,
            label=f"{team.name}: {count[frame]}",
        )
    axis.set_ylim(bottom=0)
    axis.set_title("alive", fontsize="medium")
    axis.legend(loc="lower left", fontsize="small")


def _draw_earned(
    axis: Axes,
    episode: Episode,
    frame: int,
) -> None:
    so_far = earned(episode)
    axis.plot(so_far, color=BLUISH_GREEN)
    axis.set_title(
        f"team reward so far: {so_far[frame]:.2f}",
        fontsize="medium",
    )
    axis.set_xlabel("step")
