"""The ground, the wall, and how fighters move."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: The time that a step takes.
TIME_STEP = 0.1
#: The share of the velocity that is left after a step, before forces act.
KEPT_VELOCITY = 0.75
#: Nobody is faster than this.
MAX_SPEED = 1.0
#: The acceleration of a guard that pushes.
THRUST = 3.0
#: How far a guard turns its weapon in a step, in radians.
TURN = 0.17
#: Where the wall stands, on either side of either axis.
WALL = 4.95
#: The push of the wall, for each unit of length that somebody is beyond it.
WALL_STIFFNESS = 100.0
#: The height of the ground's waves, and the depth of its bowl.
WAVES = 0.15
BOWL = 0.2
#: No ground increases the reach of a weapon by more than this factor.
BEST_GROUND = 1 + 2 * WAVES
#: What each action asks for: acceleration along x, along y, and turn.
_ACTIONS = [
    (0.0, 0.0, 0.0),
    (THRUST, 0.0, 0.0),
    (-THRUST, 0.0, 0.0),
    (0.0, THRUST, 0.0),
    (0.0, -THRUST, 0.0),
    (0.0, 0.0, TURN),
    (0.0, 0.0, -TURN),
]
#: The names of the actions, for people.
ACTION_NAMES = (
    "stay",
    "push right",
    "push left",
    "push up",
    "push down",
    "turn left",
    "turn right",
)


def ground(
    position: Float[Tensor, "E 2 P"],
    theta: Float[Tensor, "E"],
) -> Float[Tensor, "E P"]:
    """The factor by which the ground changes the reach of a weapon (Appendix A.3).

    Args:
        position: where to look it up.
        theta: by how much the battlefield is turned, in radians.
    """
    cos = theta.cos().unsqueeze(-1)
    sin = theta.sin().unsqueeze(-1)
    x, y = position.unbind(1)
    along = x * cos + y * sin
    across = y * cos - x * sin
    waves = (0.6 * math.pi * along).cos() + (math.pi * across).cos()
    distance = along.square() + across.square()
    return 1 - BOWL * 0.01 * distance + WAVES * waves


def action_forces(
    actions: Int[Tensor, "E N"],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "E 2 N"], Float[Tensor, "E N"]]:
    """The acceleration and the turn that each guard's action asks for.

    Args:
        actions: 0 stays; 1 to 4 push towards +x, -x, +y and -y; 5 and 6 turn left and right.
        dtype: of the results.
    """
    table = _action_table(dtype, actions.device)
    rows = table.index_select(0, actions.flatten())
    asked = rows.view(*actions.shape, 3)
    return asked[..., :2].mT, asked[..., 2]


@cache
def _action_table(
    dtype: torch.dtype,
    device: torch.device,
) -> Float[Tensor, "actions 3"]:
    return torch.tensor(_ACTIONS, dtype=dtype, device=device)


def wall_force(position: Float[Tensor, "E 2 P"]) -> Float[Tensor, "E 2 P"]:
    """The push back into the arena; the limit of the hard softplus that the authors' code uses.

    Args:
        position: where everybody is; inside the wall there is no push.
    """
    inside = position.clamp(-WALL, WALL)
    return WALL_STIFFNESS * (inside - position)


def move(
    position: Float[Tensor, "E 2 P"],
    velocity: Float[Tensor, "E 2 P"],
    force: Float[Tensor, "E 2 P"],
    moving: Bool[Tensor, "E P"],
) -> tuple[Float[Tensor, "E 2 P"], Float[Tensor, "E 2 P"]]:
    """Position and velocity a step later.

    Args:
        position: before the step.
        velocity: before the step.
        force: the acceleration that each fighter asks for; the wall's push is added here.
        moving: who moves; everybody else keeps position and velocity.
    """
    acceleration = force + wall_force(position)
    new = KEPT_VELOCITY * velocity + TIME_STEP * acceleration
    speed = torch.hypot(new[:, 0], new[:, 1]).unsqueeze(1)
    too_fast = (speed / MAX_SPEED).clamp(min=1)
    new = new / too_fast
    # At weights of 0 and 1, lerp chooses exactly. It is faster than ``where``, whose branches are
    # mispredicted because who lives is random.
    moves = moving.unsqueeze(1).to(new.dtype)
    new_position = torch.lerp(
        position,
        position + TIME_STEP * new,
        moves,
    )
    new_velocity = torch.lerp(velocity, new, moves)
    return new_position, new_velocity


def wrap(angle: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """The same angle in [-pi, pi).

    Args:
        angle: in radians, of any size.
    """
    return (angle + math.pi).remainder(2 * math.pi) - math.pi
