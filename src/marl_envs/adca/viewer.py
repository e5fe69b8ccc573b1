"""Watching battles."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from torch import Tensor

from marl_core.rendering import Episode, Viewer, html_page
from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.physics import TIME_STEP, WALL, ground
from marl_envs.adca.sight import ENEMIES_WITHIN, FRIENDS_WITHIN
from marl_envs.adca.weapon import FAN, REACH, in_fan

ACTION_NAMES = (
    "stay",
    "push right",
    "push left",
    "push up",
    "push down",
    "turn left",
    "turn right",
)
#: Half of what is shown of the field, and how finely its ground is shaded.
HALF = 5.25
SHADES = 140
#: Where an entity's row holds its index.
_INDEX = 6
#: For how many pictures a shot is seen.
SHOTS_SEEN_FOR = 4
#: Guards and attackers: blue and vermilion, told apart by every kind of colour vision (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00")


@dataclass(frozen=True)
class Shot:
    """A hit: in which step, by whom and on whom."""

    step: int
    shooter: int
    target: int


def battles(episode: Episode) -> Battle:
    """The states of the episode's battle, T + 1 of them along the axis for games."""
    return Battle(
        **{
            name: torch.cat([state[name] for state in episode.states])
            for name in episode.states[0]
        }
    )


def shots(states: Battle, guards: int) -> list[Shot]:
    """Everybody who hit somebody, in every step.

    Attackers point where the new orders say before they fire and guards turn afterwards, so the headings at the shot
    are the attackers' from after the step and the guards' from before it. So it is with the ground.
    """
    before, after = states.map(lambda x: x[:-1]), states.map(lambda x: x[1:])
    heading = torch.cat([before.heading[:, :guards], after.heading[:, guards:]], dim=1)
    found = []
    for step, guard, attacker in _near(before, guards):
        target = guards + attacker
        towards = before.position[step, :, target] - before.position[step, :, guard]
        for shooter, other, way in (
            (guard, target, towards),
            (target, guard, -towards),
        ):
            terrain = after.terrain[step, shooter]
            if bool(
                in_fan(
                    way.unsqueeze(0), heading[step, shooter].view(1), terrain.view(1)
                )
            ):
                found.append(Shot(step, shooter, other))
    return found


def recent_shots(states: Battle, guards: int, frame: int) -> list[Shot]:
    """Those that are still seen in a picture. Of no other step are they looked for: a film has hundreds of pictures."""
    first = max(0, frame - SHOTS_SEEN_FOR)
    found = shots(states.map(lambda x: x[first : frame + 1]), guards)
    return [replace(shot, step=first + shot.step) for shot in found]


def _near(states: Battle, guards: int) -> list[tuple[int, int, int]]:
    """Step, guard and attacker of every pair of living opponents that some ground may bring within reach."""
    ours, theirs = states.position[:, :, :guards], states.position[:, :, guards:]
    near = (ours.unsqueeze(3) - theirs.unsqueeze(2)).square().sum(1) <= (2 * REACH) ** 2
    near &= states.alive[:, :guards, None] & states.alive[:, None, guards:]
    return [
        (step, guard, attacker) for step, guard, attacker in near.nonzero().tolist()
    ]


def multipliers(states: Battle, terrain: bool) -> Float[Tensor, "T1 P"]:
    """What the ground that everybody stands on makes of a weapon's reach."""
    return ground(states.position, states.theta) if terrain else states.terrain


def shading(theta: Float[Tensor, ""], terrain: bool) -> Float[Tensor, "side side"]:
    """The ground's multiplier over all that is shown, the top row first."""
    line = (torch.arange(SHADES) + 0.5) / SHADES * 2 * HALF - HALF
    y, x = torch.meshgrid(-line, line, indexing="ij")
    points = torch.stack([x.flatten(), y.flatten()]).unsqueeze(0)
    values = (
        ground(points, theta.view(1).float())
        if terrain
        else torch.ones_like(points[:, 0])
    )
    return values.view(SHADES, SHADES)


def _thousandths(values: Tensor) -> Any:
    """Nested lists of whole numbers; one number for a scalar."""
    return (values.double() * 1000).round().long().tolist()


@final
class BattleViewer(Viewer):
    """Plays a battle: the ground, both teams, headings and weapons, shots, the score, what agents see and intend."""

    def __init__(self, config: ADCAConfig) -> None:
        self._config = config

    def page(self, episode: Episode) -> str:
        """The battle, to be played."""
        content = (
            files("marl_envs.adca").joinpath("viewer.html").read_text(encoding="utf-8")
        )
        return html_page(f"ADCA · {episode.title}", content, self.data(episode))

    def data(self, episode: Episode) -> dict[str, Any]:
        """What the page is made of. Lengths, angles and probabilities are in thousandths, to be short."""
        states, guards, terrain = (
            battles(episode),
            self._config.agents,
            self._config.terrain,
        )
        shade = shading(states.theta[0], terrain)
        return {
            "guards": guards,
            "fighters": states.alive.shape[1],
            "steps": episode.steps,
            "rate": round(1 / TIME_STEP),
            "half": HALF,
            "wall": WALL,
            "reach": REACH,
            "fan": round(FAN, 4),
            "sight": [FRIENDS_WITHIN, ENEMIES_WITHIN],
            "ground": {
                "size": SHADES,
                "low": _thousandths(shade.min()),
                "high": _thousandths(shade.max()),
                "values": _thousandths(shade.flatten()),
            },
            "position": _thousandths(states.position.mT.flatten(1)),
            "heading": _thousandths(states.heading),
            "multiplier": _thousandths(multipliers(states, terrain)),
            "died": _deaths(states),
            "kills": [
                [shot.step, shot.shooter, shot.target] for shot in shots(states, guards)
            ],
            "earned": [
                0.0,
                *(
                    round(earned, 4)
                    for earned in episode.team_reward.cumsum(0).tolist()
                ),
            ],
            "policies": _thousandths(episode.policies.flatten(1)),
            "actions": episode.actions.tolist(),
            "action_names": ACTION_NAMES,
            "seen": _seen(episode),
            "component": episode.component.tolist(),
            "component_names": episode.component_names,
            "end": _end(episode),
        }

    def still(self, episode: Episode) -> int:
        """Where half of those who fall have fallen."""
        fallen = sorted(step for step in _deaths(battles(episode)) if step >= 0)
        return fallen[len(fallen) // 2] if fallen else episode.steps // 2

    def draw(self, figure: Figure, episode: Episode, frame: int) -> None:
        """The field, and beside it how many live and what was earned."""
        layout = figure.subplot_mosaic(
            [["field", "alive"], ["field", "earned"]], width_ratios=(5, 2.4)
        )
        self._draw_field(layout["field"], episode, frame)
        self._draw_score(layout["alive"], layout["earned"], episode, frame)
        figure.suptitle(f"ADCA · {episode.title}")

    @property
    def size(self) -> tuple[float, float]:
        """A square field and a column of charts."""
        return 9.0, 6.0

    def _draw_field(self, axis: Axes, episode: Episode, frame: int) -> None:
        states, guards = battles(episode), self._config.agents
        shade = shading(states.theta[0], self._config.terrain).numpy()
        axis.imshow(
            shade,
            extent=(-HALF, HALF, -HALF, HALF),
            cmap="Greys",
            alpha=0.3,
            vmin=0.4,
            vmax=1.4,
        )
        axis.plot(
            *(WALL * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])),
            color="0.5",
            linestyle="--",
            lw=0.8,
        )
        reach = REACH * multipliers(states, self._config.terrain)[frame]
        x, y = states.position[frame].double().numpy()
        alive, heading = (
            states.alive[frame].numpy(),
            states.heading[frame].double().numpy(),
        )
        turned = np.degrees(heading)
        half = math.degrees(FAN) / 2
        for team, colour, mark in (
            (slice(0, guards), _COLOURS[0], "o"),
            (slice(guards, None), _COLOURS[1], "^"),
        ):
            there = np.arange(len(x))[team][alive[team]]
            fallen = np.arange(len(x))[team][~alive[team]]
            fans = [
                Wedge((x[i], y[i]), float(reach[i]), turned[i] - half, turned[i] + half)
                for i in there
            ]
            axis.add_collection(
                PatchCollection(
                    fans, facecolor=colour, edgecolor=colour, alpha=0.3, linewidth=0.6
                )
            )
            axis.scatter(
                x[there],
                y[there],
                s=20,
                color=colour,
                marker=mark,
                edgecolor="white",
                linewidth=0.4,
                zorder=3,
            )
            axis.scatter(
                x[fallen],
                y[fallen],
                s=14,
                color=colour,
                marker="x",
                alpha=0.35,
                linewidth=1,
            )
        lines, strength = [], []
        for shot in recent_shots(states, guards, frame):
            where = states.position[shot.step]
            lines.append(
                [where[:, shot.shooter].tolist(), where[:, shot.target].tolist()]
            )
            strength.append(1 - (frame - 1 - shot.step) / SHOTS_SEEN_FOR)
        axis.add_collection(
            LineCollection(
                lines, color="black", linewidth=1.6, alpha=strength or None, zorder=4
            )
        )
        axis.set(
            xlim=(-HALF, HALF), ylim=(-HALF, HALF), xticks=[], yticks=[], aspect="equal"
        )
        if self._config.terrain:
            axis.set_title(
                "on darker ground weapons reach further",
                fontsize="small",
                color="0.4",
                pad=3,
            )
        coupled = ""
        if episode.component_names:
            coupled = f" · {episode.component_names[int(episode.component[min(frame, episode.steps - 1)])]}"
        ended = (
            f" · {_end(episode)}" if frame == episode.steps and _end(episode) else ""
        )
        axis.set_xlabel(f"step {frame} of {episode.steps}{coupled}{ended}")

    def _draw_score(
        self, alive_axis: Axes, earned_axis: Axes, episode: Episode, frame: int
    ) -> None:
        alive, guards = battles(episode).alive, self._config.agents
        for part, colour, name in (
            (alive[:, :guards], _COLOURS[0], "guards"),
            (alive[:, guards:], _COLOURS[1], "attackers"),
        ):
            count = part.sum(1).numpy()
            alive_axis.plot(count, color=colour, label=f"{name}: {count[frame]}")
        alive_axis.set_ylim(bottom=0)
        alive_axis.set_title("alive", fontsize="medium")
        alive_axis.legend(loc="lower left", fontsize="small")
        earned = np.concatenate([[0.0], episode.team_reward.cumsum(0).numpy()])
        earned_axis.plot(earned, color="#009e73")
        earned_axis.set_title(
            f"team reward so far: {earned[frame]:.2f}", fontsize="medium"
        )
        earned_axis.set_xlabel("step")
        for axis in (alive_axis, earned_axis):
            axis.axvline(frame, color="black", linewidth=0.8)
            axis.set_xlim(0, max(1, episode.steps))
            axis.grid(alpha=0.3)


def _deaths(states: Battle) -> list[int]:
    """The first state in which each fighter is dead; -1 for those who live to the end."""
    dead = ~states.alive
    return torch.where(dead.any(0), dead.int().argmax(0), -1).tolist()


def _seen(episode: Episode) -> list[list[list[int]]]:
    """Whom each guard sees at each step, itself included, in the order in which it sees them."""
    entities, mask = episode.observations.entities, episode.observations.entity_mask
    assert entities is not None
    assert mask is not None
    index = entities[..., _INDEX].round().long()
    return [
        [row[there].tolist() for row, there in zip(rows, masks, strict=True)]
        for rows, masks in zip(index, mask, strict=True)
    ]


def _end(episode: Episode) -> str:
    """How the battle ended."""
    if episode.won is None or not bool(episode.terminated[-1]):
        return ""
    return "the guards win" if bool(episode.won[-1]) else "the guards lose"
