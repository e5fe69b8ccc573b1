"""Who shot whom, found again from the states of a battle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from marl_core.rendering import Episode
from marl_envs.adca.battle import Battle
from marl_envs.adca.weapon import REACH, in_fan

#: A shot is seen in this many pictures.
SHOTS_SEEN_FOR = 4


@dataclass(frozen=True)
class Shot:
    """A hit.

    Attributes:
        step: when it fell.
        shooter: the index of the fighter that fired.
        target: the index of the fighter that was hit.
    """

    step: int
    shooter: int
    target: int


def battles(episode: Episode) -> Battle:
    """The T + 1 states of an episode's battle, along the axis that usually has battles.

    Args:
        episode: of ADCA.
    """
    first = episode.states[0]
    joined: dict[str, Tensor] = {}
    for name in first:
        values = [state[name] for state in episode.states]
        joined[name] = torch.cat(values)
    return Battle(**joined)


def shots(
    states: Battle,
    guards: int,
) -> list[Shot]:
    """All hits of a battle.

    Attackers turn as they are ordered and then fire; guards fire and then turn. So the headings at
    the moment of a shot are those after the step for attackers and those before it for guards. The
    ground is the one that was looked up in the step.

    Args:
        states: of the battle, one after the other.
        guards: how many of the fighters are guards.
    """
    before = states.map(lambda value: value[:-1])
    after = states.map(lambda value: value[1:])
    ours = before.heading[:, :guards]
    theirs = after.heading[:, guards:]
    heading = torch.cat([ours, theirs], dim=1)
    found: list[Shot] = []
    for step, guard, attacker in _near_pairs(before, guards):
        position = before.position[step]
        from_guard = position[:, attacker] - position[:, guard]
        terrain = after.terrain[step]
        if _hits(
            from_guard,
            heading[step, guard],
            terrain[guard],
        ):
            found.append(Shot(step, guard, attacker))
        if _hits(
            -from_guard,
            heading[step, attacker],
            terrain[attacker],
        ):
            found.append(Shot(step, attacker, guard))
    return found


def _hits(
    towards: Tensor,
    heading: Tensor,
    terrain: Tensor,
) -> bool:
    """Whether a single target is within the fan of a single shooter."""
    inside = in_fan(
        towards.unsqueeze(0),
        heading.view(1),
        terrain.view(1),
    )
    return bool(inside)


def _near_pairs(
    states: Battle,
    guards: int,
) -> list[tuple[int, int, int]]:
    """Step, guard and attacker of all living opponents that some ground may bring within reach."""
    ours = states.position[:, :, :guards].unsqueeze(3)
    theirs = states.position[:, :, guards:].unsqueeze(2)
    squared = (ours - theirs).square().sum(1)
    near = squared <= (2 * REACH) ** 2
    near &= states.alive[:, :guards, None]
    near &= states.alive[:, None, guards:]
    found: list[tuple[int, int, int]] = []
    for step, guard, attacker in near.nonzero().tolist():
        found.append((step, guard, guards + attacker))
    return found


def recent_shots(
    states: Battle,
    guards: int,
    frame: int,
) -> list[Shot]:
    """The shots that are still seen in a picture.

    Only the steps just before the picture are searched, because a film has hundreds of pictures.

    Args:
        states: of the battle, one after the other.
        guards: how many of the fighters are guards.
        frame: the picture, counted in steps.
    """
    first = max(0, frame - SHOTS_SEEN_FOR)
    recent = states.map(lambda value: value[first : frame + 1])
    found = shots(recent, guards)
    return [replace(shot, step=first + shot.step) for shot in found]
