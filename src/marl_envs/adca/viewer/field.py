"""The ground as it is shown."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.physics import ground

#: Half the side of the square that is shown.
HALF = 5.25
#: The number of points along a side at which the ground is looked up.
SHADES = 140


def multipliers(
    states: Battle,
    *,
    terrain: bool,
) -> Float[Tensor, "T1 P"]:
    """The factor by which the ground under each fighter changes the reach of its weapon.

    Args:
        states: of a battle, one after the other.
        terrain: whether the ground matters.
    """
    if terrain:
        return ground(states.position, states.theta)
    return states.terrain


def shading(
    theta: Float[Tensor, ""],
    terrain: bool,
) -> Float[Tensor, "side side"]:
    """The ground's factor over the whole square that is shown, the top row first.

    Args:
        theta: by how much the battlefield is turned, in radians.
        terrain: whether the ground matters.
    """
    middle = (torch.arange(SHADES) + 0.5) / SHADES
    line = middle * 2 * HALF - HALF
    y, x = torch.meshgrid(-line, line, indexing="ij")
    points = torch.stack([x.flatten(), y.flatten()]).unsqueeze(0)
    values = torch.ones_like(points[:, 0])
    if terrain:
        values = ground(points, theta.view(1).float())
    return values.view(SHADES, SHADES)
