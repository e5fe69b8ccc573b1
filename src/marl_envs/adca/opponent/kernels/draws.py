"""Random numbers: ``marl_envs.adca.draws`` for the purpose of grouping."""

from __future__ import annotations

from typing import no_type_check

import warp as wp

from marl_envs.adca.draws import MULTIPLIER, PURPOSE_SHIFT, STRIDE, WORD, Purpose

_WORD_BITS = wp.constant(wp.int64(WORD))
_FACTOR = wp.constant(wp.int64(MULTIPLIER))
_STEP = wp.constant(wp.int64(STRIDE))
_GROUPING = wp.constant(wp.int64(Purpose.GROUPING << PURPOSE_SHIFT))
_HALF_WORD = wp.constant(wp.int64(16))
_HIGH_WORD = wp.constant(wp.int64(32))
_GRAIN_BITS = wp.constant(wp.int64(8))
_GRAIN = wp.constant(2.0**-24)


@wp.func
@no_type_check
def fold(word: wp.int64):
    """``draws._fold``.

    Args:
        word: of 32 bits.
    """
    return (word >> _HALF_WORD) ^ word


@wp.func
@no_type_check
def mix(word: wp.int64):
    """``draws._mix``.

    Args:
        word: of 32 bits.
    """
    once = (fold(word) * _FACTOR) & _WORD_BITS
    twice = (fold(once) * _FACTOR) & _WORD_BITS
    return fold(twice)


@wp.func
@no_type_check
def seed_of(
    key: wp.int64,
    clock: wp.int64,
):
    """What the key, the step and the purpose contribute to the random numbers of a step.

    Args:
        key: the key of the battle.
        clock: the step of the battle.
    """
    word = mix((key & _WORD_BITS) ^ _GROUPING)
    word = mix((word + (key >> _HIGH_WORD)) & _WORD_BITS)
    return mix((word + clock) & _WORD_BITS)


@wp.func
@no_type_check
def uniform(
    seed: wp.int64,
    place: int,
):
    """``draws.uniforms`` at one place.

    Args:
        seed: what ``seed_of`` gives.
        place: the index of the number.
    """
    mixed_in = (seed + wp.int64(place) * _STEP) & _WORD_BITS
    word = mix(mix(mixed_in))
    return float(word >> _GRAIN_BITS) * _GRAIN
