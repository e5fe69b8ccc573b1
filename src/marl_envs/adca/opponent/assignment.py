"""Who takes which place, at nearly the least sum of distances: for all squads of all battles at once.

The authors' script solves each assignment exactly, one after the other. Here everybody starts in an order that has no
crossings seen from afar (by what lies across the way from the members' centre to the places'), and pairs then change
places as long as both together gain. Pairs are tried in rounds in which everybody has one partner, so that a round is
a dozen operations on everybody. docs/adca.md gives how near that comes to the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    sizes = label.new_zeros(len(label), count).scatter_add_(1, label, torch.ones_like(label))
    start = (sizes.cumsum(1) - sizes).gather(1, label)
    return Groups(start, sizes.gather(1, label), torch.arange(label.shape[1], device=label.device) - start)


def order_across(
    points: Float[Tensor, "E 2 M"], way: Float[Tensor, "E 2 M"], group: Int[Tensor, "E M"]
) -> Int[Tensor, "E M"]:
    """Indices of the points by group, and within a group by how far left of the way they lie (any length of way)."""
    (x, y), (along, across) = points.unbind(1), way.unbind(1)
    left = (y * along - x * across) / torch.hypot(along, across).clamp(min=1e-9)
    return (group * _APART + left).argsort(1)


def neighbours(groups: Groups, distances: Sequence[int]) -> Int[Tensor, "rounds E M"]:
    """Rounds in which ranks r and r + d are partners, for each distance d: first in even blocks of d, then in odd."""
    steps = torch.tensor([d for d in distances for _ in range(2)], device=groups.rank.device).view(-1, 1, 1)
    blocks = torch.tensor([odd for _ in distances for odd in range(2)], device=groups.rank.device).view(-1, 1, 1)
    forward = (groups.rank // steps + blocks) % 2 == 0
    return _partners(groups, torch.where(forward, groups.rank + steps, groups.rank - steps))


def everybody(groups: Groups, largest: int) -> Int[Tensor, "rounds E M"]:
    """Rounds in which all pairs of a group meet once, rank r and r xor o; no group is larger than ``largest``."""
    offsets = torch.arange(1, 1 << max(largest - 1, 0).bit_length(), device=groups.rank.device)
    return _partners(groups, groups.rank ^ offsets.view(-1, 1, 1))


def _partners(groups: Groups, rank: Int[Tensor, "rounds E M"]) -> Int[Tensor, "rounds E M"]:
    """The member of that rank, or oneself where the group has no such rank."""
    return groups.start + torch.where((rank >= 0) & (rank < groups.size), rank, groups.rank)


def exchange(
    members: Float[Tensor, "E 2 M"], places: Float[Tensor, "E 2 M"], partners: Int[Tensor, "rounds E M"], times: int
) -> Float[Tensor, "E 2 M"]:
    """The places, exchanged between partners where that shortens the sum of their distances; all rounds, ``times`` over.

    Args:
        members: in order of their groups.
        places: the place that each member has at first.
        partners: in each round, with whom a member may exchange; symmetric, oneself for nobody.
        times: how often the rounds are gone through.
    """
    (x, y), (goal_x, goal_y) = members.unbind(1), places.unbind(1)
    own = torch.hypot(x - goal_x, y - goal_y)
    for partner in partners.unbind(0) * times:
        their_x, their_y = goal_x.gather(1, partner), goal_y.gather(1, partner)
        other = torch.hypot(x - their_x, y - their_y)
        gain = own - other
        gains = gain + gain.gather(1, partner) > _LEAST_GAIN
        goal_x, goal_y = torch.where(gains, their_x, goal_x), torch.where(gains, their_y, goal_y)
        own = torch.where(gains, other, own)
    return torch.stack([goal_x, goal_y], dim=1)


def inverse(order: Int[Tensor, "E M"]) -> Int[Tensor, "E M"]:
    """The inverse of a permutation."""
    ranks = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks)


def pick(values: Float[Tensor, "E 2 n"], index: Int[Tensor, "E M"]) -> Float[Tensor, "E 2 M"]:
    """``values[e, :, index[e, m]]``."""
    return values.gather(2, index.unsqueeze(1).expand(-1, 2, -1))
