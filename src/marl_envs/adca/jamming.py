"""What chance does to a guard's sight: the order of what it sees, and what it misses."""

from __future__ import annotations

import math
from functools import cache
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.shapes import NEIGHBOURS

#: How many orders six neighbours can have. Tables of fewer neighbours repeat their orders.
_ORDERS = math.factorial(NEIGHBOURS)


def disturb(
    seen: Int[Tensor, "entities N E"],
    draws: Float[Tensor, "E 2 2 N"],
    nobody: int,
    config: ADCAConfig,
) -> Int[Tensor, "E N entities"]:
    """Show fighters in random order, and hide a random number of them.

    Friends and enemies are each shuffled among themselves. The guard itself stays the first of its
    friends and is never hidden. Every other fighter is hidden with the same probability,
    independently: the number of hidden ones is binomial, and the last ones of a random order are
    hidden. Without the shuffle, that order is still drawn, but only decides who is hidden.

    *Places* number the fighters of a block. The guard itself has place 0; other friends have places
    1 to 5 and enemies places 1 to 6, the nearest first.

    Args:
        seen: indices of the fighters that could be seen: friends, then enemies; at the end of
            either block ``nobody``.
        draws: uniform random numbers: for friends and for enemies (second axis), for the order and
            for the number of hidden ones (third axis).
        nobody: the index that stands for nobody; larger than any fighter's.
        config: of the environment.

    Returns:
        Indices of the fighters that are seen.
    """
    order_draw, jam_draw = draws.permute(2, 1, 3, 0)
    visible = _visible(seen, nobody)
    left = visible
    if config.jam_probability > 0:
        left = visible - _hidden(visible, jam_draw, config.jam_probability)
    drawn = _drawn_places(visible, order_draw)
    own = _places(seen.device)
    if config.shuffle_neighbours:
        shown_place, rank = drawn, own
    else:
        shown_place, rank = own, drawn
    shown = _at_places(seen, shown_place)
    # 1 where the rank is beyond those that are left, else 0.
    number_left = left.permute(2, 1, 0).unsqueeze(-1)
    beyond = (rank - number_left).clamp_(0, 1)
    hidden = beyond.mul_(nobody)
    return torch.maximum(shown, hidden).flatten(2)


def _visible(
    seen: Int[Tensor, "entities N E"],
    nobody: int,
) -> Int[Tensor, "2 N E"]:
    """How many friends, without itself, and how many enemies each guard could see."""
    # A comparison that stays in its type costs a third of one that makes booleans.
    there = torch.lt(seen, nobody, out=torch.empty_like(seen))
    friends = there[1:NEIGHBOURS].sum(0, dtype=seen.dtype)
    enemies = there[NEIGHBOURS:].sum(0, dtype=seen.dtype)
    return torch.stack([friends, enemies])


def _hidden(
    visible: Int[Tensor, "2 N E"],
    draw: Float[Tensor, "2 N E"],
    probability: float,
) -> Int[Tensor, "2 N E"]:
    """How many of the visible ones are hidden: the quantile of a binomial distribution."""
    table = _binomial_cumulative(probability, visible.device)
    cumulative = table.index_select(1, visible.flatten())
    exceeded = cumulative.le_(draw.flatten())
    return exceeded.sum(0).int().view_as(visible)


@cache
def _binomial_cumulative(
    probability: float,
    device: torch.device,
) -> Float[Tensor, "counts visible"]:
    """P(X <= k) for X ~ Binomial(v, probability): a row for each k from 0 to 5.

    There is a column for each v from 0 to 6. From k = v on, the value is 2, which no draw reaches,
    so that never more than v are hidden.
    """
    table = torch.full(
        (NEIGHBOURS + 1, NEIGHBOURS),
        2.0,
        dtype=torch.float64,
    )
    for visible in range(NEIGHBOURS + 1):
        masses = [_binomial(visible, k, probability) for k in range(visible)]
        mass = torch.tensor(masses, dtype=table.dtype)
        table[visible, :visible] = mass.cumsum(0)
    return table.mT.float().to(device)


def _binomial(
    trials: int,
    successes: int,
    probability: float,
) -> float:
    """The probability of a number of successes."""
    failures = trials - successes
    ways = math.comb(trials, successes)
    return ways * probability**successes * (1 - probability) ** failures


def _drawn_places(
    visible: Int[Tensor, "2 N E"],
    draw: Float[Tensor, "2 N E"],
) -> Int[Tensor, "E N 2 ranks"]:
    """A random order of the visible ones' places, for friends and for enemies."""
    table = _orders(visible.device)
    row = visible * _ORDERS + (draw * _ORDERS).int()
    row[1] += len(table) // 2
    rows = row.permute(2, 1, 0)
    return table.index_select(0, rows.flatten()).view(*rows.shape, NEIGHBOURS)


@cache
def _orders(device: torch.device) -> Int[Tensor, "rows ranks"]:
    """All orders of places 1 to v, for v from 0 to 6, each equally often; 720 rows for each v.

    Places beyond v stay as they are. The first half of the rows is for friends and has places 0 to
    5, with place 0 in front; the second half is for enemies and has places 1 to 6.
    """
    rows: list[tuple[int, ...]] = []
    for visible in range(NEIGHBOURS + 1):
        beyond = tuple(range(visible + 1, NEIGHBOURS + 1))
        orders = list(permutations(range(1, visible + 1)))
        repeated = orders * (_ORDERS // len(orders))
        rows += [(0, *order, *beyond) for order in repeated]
    table = torch.tensor(rows, dtype=torch.int32)
    friends = table[:, :NEIGHBOURS]
    enemies = table[:, 1:]
    return torch.cat([friends, enemies]).to(device)


@cache
def _places(device: torch.device) -> Int[Tensor, "2 ranks"]:
    """The places of friends and those of enemies, in their own order."""
    rank = torch.arange(NEIGHBOURS, dtype=torch.int32)
    return torch.stack([rank, rank + 1]).to(device)


def _at_places(
    seen: Int[Tensor, "entities N E"],
    place: Int[Tensor, "*B 2 ranks"],
) -> Int[Tensor, "E N 2 ranks"]:
    """The fighters at places, friends and enemies each from their block of ``seen``."""
    _, guards, games = seen.shape
    row, column = _addresses(guards, games, seen.device)
    address = (place + row) * (guards * games) + column
    found = seen.flatten().index_select(0, address.flatten())
    return found.view_as(address)


@cache
def _addresses(
    guards: int,
    games: int,
    device: torch.device,
) -> tuple[Int[Tensor, "2 1"], Int[Tensor, "E N 1 1"]]:
    """Where ``seen``, flattened, holds things: the row of place 0, and the column of each guard."""
    row = torch.tensor([[0], [NEIGHBOURS - 1]], dtype=torch.int32)
    column = torch.arange(guards * games, dtype=torch.int32)
    by_game = column.view(guards, games, 1, 1).transpose(0, 1)
    return row.to(device), by_game.to(device)
