"""The ground, the wall and how fighters move."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
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
#: What the seven actions are: rest, four ways to accelerate, two to turn.
ACTIONS = 7


def ground(position: Float[Tensor, "E P 2"], theta: Float[Tensor, "E"]) -> Float[Tensor, "E P"]:
    """The terrain's multiplier of a weapon's reach at each position, in a battlefield turned by ``theta``."""
    cos, sin = theta.cos().unsqueeze(-1), theta.sin().unsqueeze(-1)
    x, y = position.unbind(-1)
    along, across = x * cos + y * sin, y * cos - x * sin
    waves = (0.6 * math.pi * along).cos() + (math.pi * across).cos()
    return 1 - BOWL * 0.01 * (along.square() + across.square()) + WAVES * waves


def action_forces(
    actions: Tensor, like: Float[Tensor, "E N 2"]
) -> tuple[Float[Tensor, "E N 2"], Float[Tensor, "E N"]]:
    """The acceleration and the turn that each action asks for: 0 rest, 1 to 4 +x -x +y -y, 5 and 6 turn left, right."""
    thrusts = [(0, 0), (THRUST, 0), (-THRUST, 0), (0, THRUST), (0, -THRUST), (0, 0), (0, 0)]
    turns = [0, 0, 0, 0, 0, TURN, -TURN]
    return like.new_tensor(thrusts)[actions], like.new_tensor(turns)[actions]


def wall_force(position: Float[Tensor, "E P 2"]) -> Float[Tensor, "E P 2"]:
    """The push back into the arena on those beyond its wall; the limit of the authors' hard softplus."""
    return WALL_STIFFNESS * (position.clamp(-WALL, WALL) - position)


def move(
    position: Float[Tensor, "E P 2"],
    velocity: Float[Tensor, "E P 2"],
    force: Float[Tensor, "E P 2"],
    moving: Bool[Tensor, "E P"],
) -> tuple[Float[Tensor, "E P 2"], Float[Tensor, "E P 2"]]:
    """Position and velocity a step later; those who do not move keep theirs."""
    new = KEPT_VELOCITY * velocity + TIME_STEP * (force + wall_force(position))
    new = new / (new.square().sum(-1, keepdim=True).sqrt() / MAX_SPEED).clamp(min=1)
    velocity = torch.where(moving.unsqueeze(-1), new, velocity)
    return torch.where(moving.unsqueeze(-1), position + TIME_STEP * new, position), velocity


def wrap(angle: Tensor) -> Tensor:
    """The angle in [-pi, pi)."""
    return (angle + math.pi).remainder(2 * math.pi) - math.pi
