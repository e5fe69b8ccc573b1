"""How battles begin: two facing lines, in a battlefield turned at random."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.physics import ground, wrap

#: The lines stand at x = -2 and x = 2 and reach from y = -5 to 5.
FRONT = 2.0
LINE = 10.0
#: Mean and spread of the noise on each coordinate.
SHIFT = -0.05
SCATTER = 0.1
#: Half the range of the noise on headings.
AIM = 1 / 24
#: Teams larger than this stand in three ranks, by index modulo 3: the whole position is scaled.
LARGEST_LINE = 48
RANKS = (0.5, 0.75, 1.0)


def deploy(
    key: Int[Tensor, "E"], guards: int, attackers: int, *, terrain: bool
) -> Battle:
    """The battles that the keys stand for, at their start."""
    fighters, games = guards + attackers, key.shape[0]
    clock = torch.zeros_like(key)
    numbers = uniforms(key, clock, Purpose.PLACEMENT, 1 + 3 * fighters)
    theta = (2 * numbers[:, 0] - 1) * math.pi
    noise = numbers[:, 1:].view(games, 3, fighters)
    # Half a multiple of the numbers' grain keeps the quantile function away from 0, where it is infinite.
    scatter = SHIFT + SCATTER * torch.special.ndtri(noise[:, :2] + 2.0**-25)
    position = (_lines(guards, attackers, key.device) + scatter) * _ranks(
        guards, attackers, key.device
    )
    x, y = position.unbind(1)
    cos, sin = theta.cos().unsqueeze(-1), theta.sin().unsqueeze(-1)
    position = torch.stack([x * cos - y * sin, x * sin + y * cos], dim=1)
    facing = torch.zeros(fighters, device=key.device)
    facing[guards:] = math.pi
    return Battle(
        alive=torch.ones(games, fighters, dtype=torch.bool, device=key.device),
        position=position,
        velocity=torch.zeros_like(position),
        heading=wrap(theta.unsqueeze(-1) + facing + (2 * noise[:, 2] - 1) * AIM),
        terrain=ground(position, theta) if terrain else torch.ones_like(x),
        theta=theta,
        clock=clock,
        key=key,
    )


def _lines(guards: int, attackers: int, device: torch.device) -> Float[Tensor, "2 P"]:
    """Where everybody would stand but for chance and ranks."""
    along = [
        LINE / team * (torch.arange(team, device=device) + 0.5) - LINE / 2
        for team in (guards, attackers)
    ]
    front = [
        torch.full_like(line, side)
        for line, side in zip(along, (-FRONT, FRONT), strict=True)
    ]
    return torch.stack([torch.cat(front), torch.cat(along)])


def _ranks(guards: int, attackers: int, device: torch.device) -> Float[Tensor, "P"]:
    """What positions are multiplied by; by 1 in a team small enough for a single line."""
    rank = torch.tensor(RANKS, device=device)[
        torch.arange(guards + attackers, device=device) % len(RANKS)
    ]
    teams = rank.split([guards, attackers])
    return torch.cat(
        [team if len(team) > LARGEST_LINE else torch.ones_like(team) for team in teams]
    )
