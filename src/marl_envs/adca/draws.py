"""Random numbers that belong to a battle and do not depend on which other battles are played.

A battle draws one number when it is reset: its key. Everything that chance decides in the battle is
a hash of the key, the step, the purpose of the random number and its place. So a battle goes the
same way alone and among others.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Keys are whole numbers from 0 up to this, exclusive.
KEYS = 2**62

#: All random numbers are multiples of this.
GRAIN = 2.0**-24

#: A word of 32 bits, all of them set.
WORD = 0xFFFFFFFF
#: 2^32 divided by the golden ratio: consecutive places fall far apart.
STRIDE = 0x9E3779B1
#: Small enough for its product with a word to fit into 63 bits.
MULTIPLIER = 0x45D9F3B
#: How far the number of a purpose is shifted before it is mixed with a key.
PURPOSE_SHIFT = 24


class Purpose(IntEnum):
    """What random numbers are for; two purposes never share a number."""

    PLACEMENT = 1
    GROUPING = 2
    SIGHT = 3


def uniforms(
    key: Int[Tensor, "E"],
    clock: Int[Tensor, "E"],
    purpose: Purpose,
    count: int,
) -> Float[Tensor, "E count"]:
    """Uniform random numbers in [0, 1) for each battle, all of them multiples of ``GRAIN``.

    Args:
        key: the battles' keys.
        clock: the battles' steps.
        purpose: what the numbers are for.
        count: how many numbers each battle needs.
    """
    word = _mix((key & WORD) ^ (purpose << PURPOSE_SHIFT))
    word = _mix((word + (key >> 32)) & WORD)
    word = _mix((word + clock) & WORD)
    place = torch.arange(count, device=key.device) * STRIDE
    mixed_in = (word.unsqueeze(-1) + place).bitwise_and_(WORD)
    hashed = _mix(_mix(mixed_in))
    return (hashed >> 8).float().mul_(GRAIN)


def _mix(word: Int[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """Map 32-bit words one to one, so that every bit affects all others."""
    word = _multiply(_fold(word))
    word = _multiply(_fold(word))
    return _fold(word)


def _fold(word: Int[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """Combine the low half of each word with its high half."""
    return (word >> 16).bitwise_xor_(word)


def _multiply(word: Int[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """Multiply in place, and keep the low 32 bits."""
    return word.mul_(MULTIPLIER).bitwise_and_(WORD)
