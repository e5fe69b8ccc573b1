"""Whom a guard could see: the nearest of the living, up to a distance."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.shapes import NEIGHBOURS

#: How far a guard sees friends, and how far it sees enemies.
FRIENDS_WITHIN = 3.0
ENEMIES_WITHIN = 2.0
#: The bits of a key that hold an index.
_LOW_BITS = 0xFFFF


def nearest(
    squared: Float[Tensor, "K N E"],
    within: float,
    first: int,
    nobody: int,
) -> Int[Tensor, "ranks N E"]:
    """The nearest fighters that each guard could see, the nearest first.

    Each distance and its index together make one number, a *key*: a double whose high bits are the
    distance in single precision and whose lowest 16 bits are the index. So the smallest key gives
    the nearest distance and its index at once, and on ties the lower index comes first. On a CPU,
    six searches for a smallest key take a quarter of the time of ``torch.topk``.

    Args:
        squared: squared distances of those who may be seen (first axis) from the guards.
        within: how far a guard sees.
        first: the index of the first fighter that may be seen.
        nobody: the index that stands for nobody.

    Returns:
        Indices of fighters; ``nobody`` where no more are seen.
    """
    keys = _keys(squared)
    smallest: list[Tensor] = []
    for _ in range(min(NEIGHBOURS, len(squared))):
        least = keys.amin(0, keepdim=True)
        smallest.append(least)
        keys.scatter_(0, _index_of(least), torch.inf)
    missing = NEIGHBOURS - len(smallest)
    smallest += [torch.full_like(smallest[0], torch.inf)] * missing
    limit = _limit(within, nobody - first)
    found = torch.cat(smallest).clamp_(max=limit)
    return _index_of(found).int().add_(first)


def _keys(squared: Float[Tensor, "K N E"]) -> Float[Tensor, "K N E"]:
    """Squared distances as doubles, with the index along the first axis in their lowest bits."""
    keys = squared.double()
    index = torch.arange(len(squared), device=keys.device)
    bits = keys.view(torch.int64)
    bits |= index.view(-1, 1, 1)
    return keys


def _limit(
    within: float,
    index: int,
) -> float:
    """A key larger than that of any fighter within the distance; its lowest bits hold ``index``.

    The factor sets a bit below those of single precision and above those of an index.
    """
    squared = within**2
    return squared * (1 + 2.0**-30) + index * math.ulp(squared)


def _index_of(key: Float[Tensor, "ranks N E"]) -> Int[Tensor, "ranks N E"]:
    """The index that a key holds."""
    return key.view(torch.int64) & _LOW_BITS
