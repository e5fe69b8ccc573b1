"""Who takes which place, at nearly the least sum of distances: for all squads of all battles at once.

The authors' script solves each assignment exactly, one after the other. Here everybody starts in an order that has no
crossings seen from afar (by what lies across the way from the members' centre to the places'), and pairs then change
places as long as both together gain. Pairs are tried in rounds in which everybody has one partner, so that a round is
a dozen operations on everybody. docs/environments/adca.md gives how near that comes to the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Groups are sorted together: keys of one group are this far from those of the next. Positions differ by far less.
_APART = 256.0
#: Rounding must not look like a gain.
_LEAST_GAIN = 1e-6


@dataclass(frozen=True)
class Groups:
    """Members in order of their group: where each one's group starts, its size, and the member's rank in it."""

    start: Int[Tensor, "E M"]
    size: Int[Tensor, "E M"]
    rank: Int[Tensor, "E M"]


def groups_of(label: Int[Tensor, "E M"], count: int) -> Groups:
    """The groups of labels 0 to ``count`` - 1 in rising order."""
    sizes = label.new_zeros(len(label), count).scatter_add_(
        1, label, torch.ones_like(label)
    )
    start = (sizes.cumsum(1) - sizes).gather(1, label)
    return Groups(
        start,
        sizes.gather(1, label),
        torch.arange(label.shape[1], device=label.device) - start,
    )


def order_across(
    points: Float[Tensor, "E 2 M"],
    way: Float[Tensor, "E 2 M"],
    group: Int[Tensor, "E M"],
) -> Int[Tensor, "E M"]:
    """Indices of the points by group, and within a group by how far left of the way they lie (any length of way)."""
    (x, y), (along, across) = points.unbind(1), way.unbind(1)
    left = (y * along - x * across) / torch.hypot(along, across).clamp(min=1e-9)
    return (group * _APART + left).argsort(1)


@cache
def neighbours(
    ranks: int, distances: tuple[int, ...], device: torch.device
) -> Int[Tensor, "rounds ranks"]:
    """Rounds in which ranks r and r + d are partners, for each distance d: first in even blocks of d, then in odd."""
    rank = torch.arange(ranks, device=device)
    rounds = [
        torch.where((rank // d + odd) % 2 == 0, rank + d, rank - d)
        for d in distances
        for odd in (0, 1)
    ]
    return torch.stack(rounds)


@cache
def tournament(ranks: int, device: torch.device) -> Int[Tensor, "rounds ranks"]:
    """Rounds in which all pairs of ranks meet once (the circle method)."""
    last = (
        ranks - 1 + ranks % 2
    )  # with an odd number, nobody: whoever should meet the last has a rest
    rank = torch.arange(last, device=device)
    opposite = (torch.arange(last, device=device).unsqueeze(-1) - rank) % max(last, 1)
    of_last = (opposite == rank).int().argmax(-1, keepdim=True)
    met = torch.cat([torch.where(opposite == rank, last, opposite), of_last], dim=-1)
    return met[:, :ranks]


def partners(
    groups: Groups, by_rank: Int[Tensor, "rounds ranks"]
) -> Int[Tensor, "rounds E M"]:
    """The members with the ranks that each one meets, or oneself where the group has no such rank."""
    games, members = groups.rank.shape
    met = torch.where(by_rank < 0, members, by_rank)
    rank = met.index_select(1, groups.rank.flatten()).view(-1, games, members)
    exists = torch.lt(
        rank, groups.size, out=torch.empty_like(rank)
    )  # as numbers: ``where`` would branch
    return torch.addcmul(groups.start + groups.rank, rank - groups.rank, exists)


def exchange(
    members: Float[Tensor, "E 2 M"],
    places: Float[Tensor, "E 2 M"],
    rounds: Int[Tensor, "rounds E M"],
    times: int,
) -> Float[Tensor, "E 2 M"]:
    """The places, exchanged between partners where that shortens their distances; all rounds, ``times`` over.

    Args:
        members: in order of their groups.
        places: the place that each member has at first.
        rounds: in each, with whom a member may exchange; symmetric, oneself for nobody.
        times: how often the rounds are gone through.
    """
    own = torch.hypot(*(members - places).unbind(1))
    both = rounds.unsqueeze(2).expand(-1, -1, 2, -1)
    for partner, partner_of_both in zip(
        rounds.unbind(0) * times, both.unbind(0) * times, strict=True
    ):
        theirs = places.gather(2, partner_of_both)
        other = torch.hypot(*(members - theirs).unbind(1))
        gain = own - other
        # In numbers, 1 where both together gain: between 0 and 1, lerp is an exact choice without a branch.
        gains = (gain + gain.gather(1, partner)).gt_(_LEAST_GAIN)
        places, own = (
            torch.lerp(places, theirs, gains.unsqueeze(1)),
            torch.lerp(own, other, gains),
        )
    return places


def inverse(order: Int[Tensor, "E M"]) -> Int[Tensor, "E M"]:
    """The inverse of a permutation."""
    ranks = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks)


def pick(
    values: Float[Tensor, "E 2 n"], index: Int[Tensor, "E M"]
) -> Float[Tensor, "E 2 M"]:
    """``values[e, :, index[e, m]]``."""
    return values.gather(2, index.unsqueeze(1).expand(-1, 2, -1))
