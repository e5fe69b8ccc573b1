"""Softmax over a mask, and the choice of the most attended entities."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def masked_softmax(
    scores: Float[Tensor, "B J"],
    mask: Bool[Tensor, "B J"],
) -> Float[Tensor, "B J"]:
    """Softmax over the entries in the mask.

    Args:
        scores: of J entities in each of B samples.
        mask: which entities are there.

    Returns:
        Exactly 0 outside of the mask; a sample with an empty mask has zeros everywhere.
    """
    # Transposed: over the first of a few rows it is several times as fast as over the last column.
    columns = scores.T.contiguous()
    there = mask.T.contiguous()
    # A finite floor: with -inf, samples without an entity would be NaN.
    floor = torch.finfo(columns.dtype).min
    softmax = torch.where(there, columns, floor).softmax(0)
    return softmax.mul_(there).T


@torch.no_grad()
def most_attended(
    weights: Float[Tensor, "B J"],
    count: int,
) -> Int[Tensor, "B k"]:
    """The places of the greatest weights, in descending order; on ties the first place wins.

    The order is that of a stable sort. Ties are common: attention saturates, and absent entities
    have exact zeros.

    Args:
        weights: not negative.
        count: k, how many are wanted.
    """
    left = weights
    chosen = []
    for _ in range(count):
        best = left.argmax(-1, keepdim=True)  # torch promises the first of equal maxima
        chosen.append(best)
        left = left.scatter(-1, best, -1.0)
    return torch.cat(chosen, -1)
