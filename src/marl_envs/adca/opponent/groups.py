"""Groups of members that are sorted by group, and indexing by permutations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: The keys of one group are this far from those of the next, so that all groups are sorted at once.
#: Positions differ by far less.
APART = 256.0


@dataclass(frozen=True)
class Groups:
    """Members in the order of their groups.

    Attributes:
        start: the index at which the group of each member begins.
        size: the size of the group of each member.
        rank: the index of each member within its group.
    """

    start: Int[Tensor, "E M"]
    size: Int[Tensor, "E M"]
    rank: Int[Tensor, "E M"]

    @classmethod
    def of_labels(
        cls,
        label: Int[Tensor, "E M"],
        count: int,
    ) -> Self:
        """Groups of members that have the same label.

        Args:
            label: of each member, from 0, in rising order.
            count: the number of labels.
        """
        games, members = label.shape
        sizes = label.new_zeros(games, count)
        sizes.scatter_add_(1, label, torch.ones_like(label))
        starts = sizes.cumsum(1) - sizes
        start = starts.gather(1, label)
        index = torch.arange(members, device=label.device)
        return cls(
            start=start,
            size=sizes.gather(1, label),
            rank=index - start,
        )

    @classmethod
    def of_one(
        cls,
        games: int,
        members: int,
        device: torch.device,
    ) -> Self:
        """All members of a battle in one group.

        Args:
            games: the number of battles.
            members: the number of members in each battle.
            device: where the tensors are kept.
        """
        start = torch.zeros(games, members, dtype=torch.int64, device=device)
        index = torch.arange(members, device=device)
        size = torch.full_like(start, members)
        return cls(start=start, size=size, rank=index.expand_as(start))


def order_across(
    points: Float[Tensor, "E 2 M"],
    way: Float[Tensor, "E 2 M"],
    group: Int[Tensor, "E M"],
) -> Int[Tensor, "E M"]:
    """The indices that sort points by group, and within a group from right to left of its way.

    Args:
        points: to be sorted.
        way: a direction for each point, of any length; equal within a group.
        group: of each point.
    """
    x, y = points.unbind(1)
    along, across = way.unbind(1)
    length = torch.hypot(along, across).clamp(min=1e-9)
    left = (y * along - x * across) / length
    return (group * APART + left).argsort(1)


def inverse(order: Int[Tensor, "E M"]) -> Int[Tensor, "E M"]:
    """The inverse of permutations.

    Args:
        order: one permutation of 0 to M - 1 for each battle.
    """
    members = order.shape[1]
    ranks = torch.arange(members, device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks)


def pick(
    values: Float[Tensor, "E 2 n"],
    index: Int[Tensor, "E M"],
) -> Float[Tensor, "E 2 M"]:
    """Points by their index: ``values[e, :, index[e, m]]``.

    Args:
        values: points to choose from.
        index: which ones.
    """
    both_coordinates = index.unsqueeze(1).expand(-1, 2, -1)
    return values.gather(2, both_coordinates)
