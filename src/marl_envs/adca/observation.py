"""What guards see: the nearest of the living, friends and enemies, each as a row of 16 numbers."""

from __future__ import annotations

import math
from functools import cache
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.types import Observation
from marl_envs.adca.battle import Battle, Distances
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.draws import Purpose, uniforms

#: How many friends (the guard itself among them) and how many enemies a guard sees at the most, and how far.
NEIGHBOURS = 6
FRIENDS_WITHIN = 3.0
ENEMIES_WITHIN = 2.0
#: The rows of an observation, and the numbers of a row.
ENTITIES = 2 * NEIGHBOURS
FEATURES = 16
_INDEX_BITS = 8
_LOW_BITS = 0xFFFF


def observe(battle: Battle, distances: Distances, config: ADCAConfig) -> Observation:
    """What every guard sees, before anybody acts."""
    guards, fighters = config.agents, battle.alive.shape[1]
    friends = _nearest(distances.guards, FRIENDS_WITHIN, 0, fighters)
    enemies = _nearest(distances.attackers_guards, ENEMIES_WITHIN, guards, fighters)
    if config.shuffle_neighbours or config.jam_probability > 0:
        draws = uniforms(battle.key, battle.clock, Purpose.SIGHT, 4 * guards).unflatten(1, (4, guards))
        others = _disturb(friends[:, 1:], draws[:, 0], draws[:, 1], fighters, config)
        friends = torch.cat([friends[:, :1], others], dim=1)
        enemies = _disturb(enemies, draws[:, 2], draws[:, 3], fighters, config)
    seen = torch.cat([friends, enemies], dim=1).mT
    table = _rows(battle)
    offset = (fighters + 1) * torch.arange(len(table), device=seen.device)
    entities = table.flatten(0, 1).index_select(0, (seen + offset.view(-1, 1, 1)).flatten())
    return Observation(
        entities=entities.view(*seen.shape, FEATURES), entity_mask=seen < fighters, alive=battle.alive[:, :guards]
    )


def _rows(battle: Battle) -> Float[Tensor, "E rows F"]:
    """A row for each fighter, and a row of zeros behind them: what is not seen."""
    games, fighters = battle.alive.shape
    rows = battle.position.new_zeros((games, fighters + 1, FEATURES), dtype=torch.float32)
    known = rows[:, :fighters]
    index = torch.arange(fighters, device=rows.device)
    known[..., 0] = 1.0
    known[..., 1:3] = battle.position.mT
    known[..., 3] = battle.heading
    known[..., 4:6] = battle.velocity.mT
    known[..., 6] = index
    known[..., 7] = battle.terrain
    known[..., 8:] = (index.unsqueeze(-1) >> torch.arange(_INDEX_BITS, device=rows.device)) & 1
    return rows


def _nearest(squared: Float[Tensor, "E K N"], within: float, first: int, nobody: int) -> Int[Tensor, "E ranks N"]:
    """The nearest ones of each guard, nearest first, up to a distance; ``nobody`` where there are no more.

    A distance and its index make one key, the index in the low bits of a double that single precision leaves free. So
    the smallest key is found at once with its index, ties go to the lower index, and on a CPU six such searches take
    half the time of ``torch.topk``.

    Args:
        squared: squared distances from guards (last axis) to those who may be seen.
        within: how far a guard sees.
        first: the number of the first who may be seen.
        nobody: the number of nobody.
    """
    count = squared.shape[1]
    keys = squared.double()
    bits = keys.view(torch.int64)
    bits += torch.arange(count, device=keys.device).unsqueeze(-1)
    least = []
    for _ in range(min(NEIGHBOURS, count)):
        least.append(keys.amin(1, keepdim=True))
        keys.scatter_(1, least[-1].view(torch.int64) & _LOW_BITS, torch.inf)
    least += [torch.full_like(least[0], torch.inf)] * (NEIGHBOURS - len(least))
    found = torch.cat(least, dim=1)
    # Whatever index the square of the greatest distance carries.
    return torch.where(found < within**2 * (1 + 2.0**-30), (found.view(torch.int64) & _LOW_BITS) + first, nobody)


def _disturb(
    seen: Int[Tensor, "E others N"],
    order: Float[Tensor, "E N"],
    jam: Float[Tensor, "E N"],
    nobody: int,
    config: ADCAConfig,
) -> Int[Tensor, "E others N"]:
    """Show those whom a guard sees in random order, and hide a binomial number of them."""
    games, others, guards = seen.shape
    visible = (seen < nobody).sum(1)
    shuffles = _shuffles(seen.device)
    row = visible * shuffles.shape[1] + (order * shuffles.shape[1]).long()
    shuffle = shuffles.flatten(0, 1).index_select(0, row.flatten()).view(games, guards, -1).mT[:, :others]
    left = visible
    if config.jam_probability > 0:
        below = _binomial_cumulative(config.jam_probability, seen.device).index_select(1, visible.flatten())
        left = visible - (jam.flatten() >= below).sum(0).view_as(visible)
    if not config.shuffle_neighbours:  # where the shuffle would have put somebody decides who is hidden
        return torch.where(shuffle < left.unsqueeze(1), seen, nobody)
    rank = torch.arange(others, device=seen.device).unsqueeze(-1)
    return torch.where(rank < left.unsqueeze(1), seen.gather(1, shuffle), nobody)


@cache
def _shuffles(device: torch.device) -> Int[Tensor, "visible orders neighbours"]:
    """All orders of the first v of six, for v = 0 to 6, each equally often; the others stay where they are."""
    everything = math.factorial(NEIGHBOURS)
    rows = []
    for visible in range(NEIGHBOURS + 1):
        orders = list(permutations(range(visible)))
        some = torch.tensor(orders, dtype=torch.int64).view(len(orders), visible)
        rest = torch.arange(visible, NEIGHBOURS).expand(len(some), -1)
        rows.append(torch.cat([some, rest], dim=-1).repeat(everything // len(orders), 1))
    return torch.stack(rows).to(device)


@cache
def _binomial_cumulative(probability: float, device: torch.device) -> Float[Tensor, "neighbours visible"]:
    """P(X <= k) of X ~ Binomial(v, probability), for v = 0 to 6 and k = 0 to v - 1; 2, out of reach, from k = v on."""
    table = torch.full((NEIGHBOURS + 1, NEIGHBOURS), 2.0, dtype=torch.float64)
    for visible in range(NEIGHBOURS + 1):
        mass = [math.comb(visible, k) * probability**k * (1 - probability) ** (visible - k) for k in range(visible)]
        table[visible, :visible] = torch.tensor(mass, dtype=table.dtype).cumsum(0)
    return table.mT.float().to(device)
