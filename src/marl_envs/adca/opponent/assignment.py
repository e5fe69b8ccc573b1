"""Who takes which place, at nearly the least sum of distances: for all squads of all battles at once.

The authors' script solves each assignment exactly, one after the other. Here everybody starts in an order that has no
crossings seen from afar (by what lies across the way from the members' centre to the places'), and pairs then change
places as long as both together gain. Pairs are tried in the rounds of a tournament, rank r against rank r xor o, so
that each round is one operation on everybody. docs/adca.md gives how near that comes to the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Groups are sorted together: keys of one group are this far from those of the next. Positions differ by far less.
_APART = 256.0


@dataclass(frozen=True)
class Groups:
    """Members in order of their group: where each one's group starts, its size, and the member's rank in it."""

    start: Int[Tensor, "E M"]
    size: Int[Tensor, "E M"]
    rank: Int[Tensor, "E M"]


def order_across(
    points: Float[Tensor, "E M 2"], way: Float[Tensor, "E M 2"], group: Int[Tensor, "E M"]
) -> Int[Tensor, "E M"]:
    """Indices of the points by group, and within a group by how far left of the way they lie (any length of way)."""
    length = way.square().sum(-1).sqrt().clamp(min=1e-9)
    across = (points[..., 1] * way[..., 0] - points[..., 0] * way[..., 1]) / length
    return (group * _APART + across).argsort(1)


def exchange(
    members: Float[Tensor, "E M 2"], places: Float[Tensor, "E M 2"], groups: Groups, offsets: int, rounds: int
) -> Float[Tensor, "E M 2"]:
    """The places with pairs of a group exchanged where that shortens the sum of their distances.

    Args:
        members: in order of their groups.
        places: the place that each member has at first.
        groups: which members may exchange their places.
        offsets: ranks r and r xor o are tried for 0 < o < offsets; a power of two.
        rounds: how often all offsets are tried.
    """
    own = _distance(members, places)
    partners = [_partner(groups, offset) for offset in range(1, offsets)]
    for partner in partners * rounds:
        theirs = places.gather(1, partner.unsqueeze(-1).expand(-1, -1, 2))
        other = _distance(members, theirs)
        gains = other + other.gather(1, partner) < own + own.gather(1, partner) - _LEAST_GAIN
        places, own = torch.where(gains.unsqueeze(-1), theirs, places), torch.where(gains, other, own)
    return places


#: Rounding must not look like a gain.
_LEAST_GAIN = 1e-6


def _partner(groups: Groups, offset: int) -> Int[Tensor, "E M"]:
    """With whom each member may exchange: rank xor offset, or itself where its group has no such rank."""
    rank = groups.rank ^ offset
    return groups.start + torch.where(rank < groups.size, rank, groups.rank)


def _distance(one: Float[Tensor, "E M 2"], other: Float[Tensor, "E M 2"]) -> Float[Tensor, "E M"]:
    return (one - other).square().sum(-1).sqrt()


def smallest_power_of_two(least: int) -> int:
    """The smallest power of two that is not below ``least``."""
    return 1 << max(least - 1, 0).bit_length()


def inverse(order: Int[Tensor, "E M"]) -> Int[Tensor, "E M"]:
    """The inverse of a permutation."""
    ranks = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks)


def rows(values: Tensor, index: Int[Tensor, "E M"]) -> Tensor:
    """``values[e, index[e, m]]`` for values ``[E, n, 2]``."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


