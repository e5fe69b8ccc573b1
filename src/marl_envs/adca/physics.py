"""The ground, the wall and how fighters move."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Time of a step; shares of the velocity that a step keeps; the speed that nobody exceeds.
TIME_STEP = 0.1
KEPT_VELOCITY = 0.75
MAX_SPEED = 1.0
#: A guard's acceleration, and how far it turns its weapon in a step.
THRUST = 3.0
TURN = 0.17
#: Where the wall stands on either axis, and its push for each unit that somebody is beyond it.
WALL = 4.95
WALL_STIFFNESS = 100.0
#: Waves and bowl of the ground.
WAVES = 0.15
BOWL = 0.2
#: No ground carries a weapon further than this.
BEST_GROUND = 1 + 2 * WAVES
#: x, y and turn of each action: rest, four ways to accelerate, two to turn.
_ACTIONS = [
    (0.0, 0.0, 0.0),
    (THRUST, 0.0, 0.0),
    (-THRUST, 0.0, 0.0),
    (0.0, THRUST, 0.0),
    (0.0, -THRUST, 0.0),
    (0.0, 0.0, TURN),
    (0.0, 0.0, -TURN),
]
#: How many actions there are.
ACTIONS = len(_ACTIONS)


def ground(
    position: Float[Tensor, "E 2 P"], theta: Float[Tensor, "E"]
) -> Float[Tensor, "E P"]:
    """The terrain's multiplier of a weapon's reach at each position, in a battlefield turned by ``theta``."""
    cos, sin = theta.cos().unsqueeze(-1), theta.sin().unsqueeze(-1)
    x, y = position.unbind(1)
    along, across = x * cos + y * sin, y * cos - x * sin
    waves = (0.6 * math.pi * along).cos() + (math.pi * across).cos()
    return 1 - BOWL * 0.01 * (along.square() + across.square()) + WAVES * waves


def action_forces(
    actions: Int[Tensor, "E N"], dtype: torch.dtype
) -> tuple[Float[Tensor, "E 2 N"], Float[Tensor, "E N"]]:
    """The acceleration and the turn that each action asks for: 0 rest, 1 to 4 +x -x +y -y, 5 and 6 turn left, right."""
    asked = (
        _action_table(dtype, actions.device)
        .index_select(0, actions.flatten())
        .view(*actions.shape, 3)
    )
    return asked[..., :2].mT, asked[..., 2]


@cache
def _action_table(
    dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "actions 3"]:
    return torch.tensor(_ACTIONS, dtype=dtype, device=device)


def wall_force(position: Float[Tensor, "E 2 P"]) -> Float[Tensor, "E 2 P"]:
    """The push back into the arena on those beyond its wall; the limit of the authors' hard softplus."""
    return WALL_STIFFNESS * (position.clamp(-WALL, WALL) - position)


def move(
    position: Float[Tensor, "E 2 P"],
    velocity: Float[Tensor, "E 2 P"],
    force: Float[Tensor, "E 2 P"],
    moving: Bool[Tensor, "E P"],
) -> tuple[Float[Tensor, "E 2 P"], Float[Tensor, "E 2 P"]]:
    """Position and velocity a step later; those who do not move keep theirs."""
    new = KEPT_VELOCITY * velocity + TIME_STEP * (force + wall_force(position))
    speed = torch.hypot(new[:, 0], new[:, 1]).unsqueeze(1)
    new = new / (speed / MAX_SPEED).clamp(min=1)
    # Between 0 and 1, lerp is an exact choice; who lives is random, and so costs a branch in ``where`` dearly.
    moves = moving.unsqueeze(1).to(new.dtype)
    return torch.lerp(position, position + TIME_STEP * new, moves), torch.lerp(
        velocity, new, moves
    )


def wrap(angle: Tensor) -> Tensor:
    """The angle in [-pi, pi)."""
    return (angle + math.pi).remainder(2 * math.pi) - math.pi
