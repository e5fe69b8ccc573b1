"""A picture of the field at one moment of a battle."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Wedge

from marl_core.rendering import Episode
from marl_core.rendering.figure_text import figure_text
from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.physics import WALL
from marl_envs.adca.viewer.field import HALF, multipliers, shading
from marl_envs.adca.viewer.outcome import ending
from marl_envs.adca.viewer.shots import SHOTS_SEEN_FOR, battles, recent_shots
from marl_envs.adca.viewer.teams import Team, teams
from marl_envs.adca.weapon import FAN, REACH


def draw_field(
    axis: Axes,
    episode: Episode,
    config: ADCAConfig,
    frame: int,
) -> None:
    """Draw the ground, the wall, both teams, their weapons and the last shots.

    Args:
        axis: where to draw.
        episode: of ADCA.
        config: of the environment that it was played in.
        frame: the state, from 0 to T.
    """
    states = battles(episode)
    _draw_ground(axis, states, config)
    _draw_wall(axis)
    reach = REACH * multipliers(states, terrain=config.terrain)[frame]
    for team in teams(config.agents):
        _draw_team(axis, team, states, frame, reach.numpy())
    _draw_shots(axis, states, config.agents, frame)
    axis.set(
        xlim=(-HALF, HALF),
        ylim=(-HALF, HALF),
        xticks=[],
        yticks=[],
        aspect="equal",
    )
    axis.set_xlabel(figure_text(_caption(episode, frame)))


def _draw_ground(
    axis: Axes,
    states: Battle,
    config: ADCAConfig,
) -> None:
    axis.imshow(
        shading(states.theta[0], config.terrain).numpy(),
        extent=(-HALF, HALF, -HALF, HALF),
        cmap="Greys",
        alpha=0.3,
        vmin=0.4,
        vmax=1.4,
    )
    if config.terrain:
        axis.set_title(
            "on darker ground weapons reach further",
            fontsize="small",
            color="0.4",
            pad=3,
        )


def _draw_wall(axis: Axes) -> None:
    axis.plot(
        [-WALL, WALL, WALL, -WALL, -WALL],
        [-WALL, -WALL, WALL, WALL, -WALL],
        color="0.5",
        linestyle="--",
        lw=0.8,
    )


def _draw_team(
    axis: Axes,
    team: Team,
    states: Battle,
    frame: int,
    reach: Float[np.ndarray, "P"],
) -> None:
    """Draw the living with their weapons, and the fallen as crosses."""
    x, y = states.position[frame].double().numpy()
    alive: Bool[np.ndarray, "P"] = states.alive[frame].numpy()
    index = np.arange(len(x))[team.members]
    there = index[alive[team.members]]
    fallen = index[~alive[team.members]]
    _draw_fans(axis, team, states, frame, reach, there.tolist())
    axis.scatter(
        x[there],
        y[there],
        s=20,
        color=team.colour,
        marker=team.marker,
        edgecolor="white",
        linewidth=0.4,
        zorder=3,
    )
    axis.scatter(
        x[fallen],
        y[fallen],
        s=14,
        color=team.colour,
        marker="x",
        alpha=0.35,
        linewidth=1,
    )


def _draw_fans(
    axis: Axes,
    team: Team,
    states: Battle,
    frame: int,
    reach: Float[np.ndarray, "P"],
    fighters: list[int],
) -> None:
    """Draw what the weapons of some fighters cover."""
    x, y = states.position[frame].double().numpy()
    heading = np.degrees(states.heading[frame].double().numpy())
    half = math.degrees(FAN) / 2
    fans = [
        Wedge(
            (x[fighter], y[fighter]),
            float(reach[fighter]),
            heading[fighter] - half,
            heading[fighter] + half,
        )
        for fighter in fighters
    ]
    collection = PatchCollection(
        fans,
        facecolor=team.colour,
        edgecolor=team.colour,
        alpha=0.3,
        linewidth=0.6,
    )
    axis.add_collection(collection)


def _draw_shots(
    axis: Axes,
    states: Battle,
    guards: int,
    frame: int,
) -> None:
    """Draw the last shots as lines that fade."""
    lines: list[list[list[float]]] = []
    strength: list[float] = []
    for shot in recent_shots(states, guards, frame):
        position = states.position[shot.step]
        start = position[:, shot.shooter].tolist()
        end = position[:, shot.target].tolist()
        lines.append([start, end])
        age = frame - 1 - shot.step
        strength.append(1 - age / SHOTS_SEEN_FOR)
    collection = LineCollection(
        lines,
        color="black",
        linewidth=1.6,
        alpha=strength or None,
        zorder=4,
    )
    axis.add_collection(collection)


def _caption(
    episode: Episode,
    frame: int,
) -> str:
    """The step, the team's coupling in it, and how the battle ended."""
    parts = [f"step {frame} of {episode.steps}"]
    if episode.component_names:
        step = min(frame, episode.steps - 1)
        component = int(episode.component[step])
        parts.append(episode.component_names[component])
    end = ending(episode)
    if frame == episode.steps and end:
        parts.append(end)
    return " · ".join(parts)
