"""Random numbers that belong to a battle, whatever is played beside it.

A battle draws one number at its reset, its key. All that chance decides in it is a hash of the key, of the step, of
what the number is for and of its place: a battle goes the same way alone and among others.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Keys are below this.
KEYS = 2**62

_WORD = 0xFFFFFFFF
_STRIDE = (
    0x9E3779B1  # 2^32 divided by the golden ratio: consecutive places fall far apart
)
_MULTIPLIER = 0x45D9F3B  # small enough that a product with a 32-bit word does not overflow 63 bits


class Purpose(IntEnum):
    """What random numbers are for; different purposes never share one."""

    PLACEMENT = 1
    GROUPING = 2
    SIGHT = 3


def uniforms(
    key: Int[Tensor, "E"], clock: Int[Tensor, "E"], purpose: Purpose, count: int
) -> Float[Tensor, "E count"]:
    """``count`` uniform numbers in [0, 1) for each battle, multiples of 2^-24."""
    word = _mix((key & _WORD) ^ (purpose << 24))
    word = _mix((word + (key >> 32)) & _WORD)
    word = _mix((word + clock) & _WORD)
    place = torch.arange(count, device=key.device) * _STRIDE
    return (
        (_mix(_mix((word.unsqueeze(-1) + place).bitwise_and_(_WORD))) >> 8)
        .float()
        .mul_(2.0**-24)
    )


def _mix(word: Tensor) -> Tensor:
    """A bijection of 32-bit words that spreads every bit over all others (shift, xor, multiply)."""
    word = (word >> 16).bitwise_xor_(word).mul_(_MULTIPLIER).bitwise_and_(_WORD)
    word = (word >> 16).bitwise_xor_(word).mul_(_MULTIPLIER).bitwise_and_(_WORD)
    return (word >> 16).bitwise_xor_(word)
