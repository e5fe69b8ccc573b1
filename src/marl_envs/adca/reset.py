"""How battles begin: two lines that face each other, in a battlefield turned at random."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.draws import GRAIN, Purpose, uniforms
from marl_envs.adca.physics import ground, wrap

#: The lines stand at x = -2 and x = 2, and reach from y = -5 to y = 5.
FRONT = 2.0
LINE = 10.0
#: Mean and standard deviation of the noise on each coordinate.
SHIFT = -0.05
SCATTER = 0.1
#: Half the range of the noise on headings, in radians.
AIM = 1 / 24
#: Larger teams than this stand in three ranks, by index modulo 3: their positions are scaled.
LARGEST_LINE = 48
RANKS = (0.5, 0.75, 1.0)


def deploy(
    key: Int[Tensor, "E"],
    guards: int,
    attackers: int,
    *,
    terrain: bool,
) -> Battle:
    """Battles at their start.

    Args:
        key: one for each battle; everything that chance decides follows from it.
        guards: the size of the learning team.
        attackers: the size of the scripted team.
        terrain: whether the ground changes how far weapons reach.
    """
    fighters = guards + attackers
    games = key.shape[0]
    device = key.device
    clock = torch.zeros_like(key)
    numbers = uniforms(
        key,
        clock,
        Purpose.PLACEMENT,
        1 + 3 * fighters,
    )
    theta = (2 * numbers[:, 0] - 1) * math.pi
    noise = numbers[:, 1:].view(games, 3, fighters)
    upright = _placed(noise[:, :2], guards, attackers)
    position = _turned(upright, theta)
    facing = torch.zeros(fighters, device=device)
    facing[guards:] = math.pi
    heading_noise = (2 * noise[:, 2] - 1) * AIM
    return Battle(
        alive=torch.ones(games, fighters, dtype=torch.bool, device=device),
        position=position,
        velocity=torch.zeros_like(position),
        heading=wrap(theta.unsqueeze(-1) + facing + heading_noise),
        terrain=_terrain(position, theta, terrain),
        theta=theta,
        clock=clock,
        key=key,
    )


def _placed(
    noise: Float[Tensor, "E 2 P"],
    guards: int,
    attackers: int,
) -> Float[Tensor, "E 2 P"]:
    """Positions in a battlefield that is not turned yet.

    The noise is uniform; the quantile function makes it normal. Half of the grain of the numbers is
    added first, because the quantile of 0 is infinite. So is that of 1, to which single precision
    rounds the greatest number plus half a grain.
    """
    inside = (noise + GRAIN / 2).clamp_(max=1 - GRAIN)
    normal = torch.special.ndtri(inside)
    scatter = SHIFT + SCATTER * normal
    lines = _lines(guards, attackers, noise.device)
    return (lines + scatter) * _ranks(guards, attackers, noise.device)


def _turned(
    position: Float[Tensor, "E 2 P"],
    theta: Float[Tensor, "E"],
) -> Float[Tensor, "E 2 P"]:
    """The positions, turned about the origin."""
    x, y = position.unbind(1)
    cos = theta.cos().unsqueeze(-1)
    sin = theta.sin().unsqueeze(-1)
    turned_x = x * cos - y * sin
    turned_y = x * sin + y * cos
    return torch.stack([turned_x, turned_y], dim=1)


def _terrain(
    position: Float[Tensor, "E 2 P"],
    theta: Float[Tensor, "E"],
    terrain: bool,
) -> Float[Tensor, "E P"]:
    """The ground's factors; 1 everywhere if the ground does not matter."""
    if terrain:
        return ground(position, theta)
    return torch.ones_like(position[:, 0])


def _lines(
    guards: int,
    attackers: int,
    device: torch.device,
) -> Float[Tensor, "2 P"]:
    """Where everybody would stand without noise and without ranks."""
    ours = _line(guards, device)
    theirs = _line(attackers, device)
    x = [torch.full_like(ours, -FRONT), torch.full_like(theirs, FRONT)]
    y = [ours, theirs]
    return torch.stack([torch.cat(x), torch.cat(y)])


def _line(
    team: int,
    device: torch.device,
) -> Float[Tensor, "members"]:
    """A team at equal distances along y, the same distance to either end of the line."""
    middle = torch.arange(team, device=device) + 0.5
    return LINE / team * middle - LINE / 2


@cache
def _ranks(
    guards: int,
    attackers: int,
    device: torch.device,
) -> Float[Tensor, "P"]:
    """The factors by which positions are scaled: 1 in a team that is small enough for one line."""
    index = torch.arange(guards + attackers, device=device)
    scales = torch.tensor(RANKS, device=device)
    ours, theirs = scales[index % len(RANKS)].split([guards, attackers])
    return torch.cat([_rank(ours), _rank(theirs)])


def _rank(scale: Float[Tensor, "members"]) -> Float[Tensor, "members"]:
    if len(scale) > LARGEST_LINE:
        return scale
    return torch.ones_like(scale)
