"""Orders and exchanges: ``marl_envs.adca.opponent.assignment`` and ``groups``."""

from __future__ import annotations

from typing import no_type_check

import warp as wp

from marl_envs.adca.opponent.assignment import LEAST_GAIN
from marl_envs.adca.opponent.kernels.rows import (
    OWN,
    PLACE_X,
    PLACE_Y,
    Row,
    Rows,
    WholeRow,
)


@wp.func
@no_type_check
def left_of(
    x: float,
    y: float,
    along: float,
    across: float,
):
    """How far left of a way a point lies.

    Args:
        x: of the point.
        y: of the point.
        along: the way's x.
        across: the way's y.
    """
    length = wp.sqrt(along * along + across * across)
    return (y * along - x * across) / wp.max(length, 1.0e-9)


@wp.func
@no_type_check
def sort_by(
    key: Row,
    order: WholeRow,
    start: int,
    end: int,
):
    """Sort order[start:end] by key[order[...]]; those with equal keys stay as they are.

    Args:
        key: what is sorted by, at the indices.
        order: a row of indices, which is changed.
        start: the first place in ``order`` that is sorted.
        end: the place after the last one that is sorted.
    """
    for place in range(start + 1, end):
        member = order[place]
        value = key[member]
        at = int(place)
        while at > start and key[order[wp.max(at - 1, 0)]] > value:
            order[at] = order[at - 1]
            at -= 1
        order[at] = member


@wp.func
@no_type_check
def far_from(
    x: float,
    y: float,
    reals: Rows,
    place: int,
):
    """The distance of a point from a place.

    Args:
        x: of the point.
        y: of the point.
        reals: the scratch space for numbers.
        place: the rank of the place.
    """
    across = x - reals[PLACE_X, place]
    along = y - reals[PLACE_Y, place]
    return wp.sqrt(across * across + along * along)


@wp.func
@no_type_check
def try_exchange(
    x: Row,
    y: Row,
    order: WholeRow,
    reals: Rows,
    one: int,
    other: int,
):
    """Let the members of two ranks exchange their places if both together gain.

    Args:
        x: of the members.
        y: of the members.
        order: a row of indices, which is changed.
        reals: the scratch space for numbers.
        one: a rank.
        other: another rank.
    """
    first = order[one]
    second = order[other]
    far_first = far_from(
        x[first],
        y[first],
        reals,
        other,
    )
    far_second = far_from(
        x[second],
        y[second],
        reals,
        one,
    )
    gain_first = reals[OWN, one] - far_first
    gain_second = reals[OWN, other] - far_second
    if gain_first + gain_second > LEAST_GAIN:
        place_x = reals[PLACE_X, one]
        place_y = reals[PLACE_Y, one]
        reals[PLACE_X, one] = reals[PLACE_X, other]
        reals[PLACE_Y, one] = reals[PLACE_Y, other]
        reals[PLACE_X, other] = place_x
        reals[PLACE_Y, other] = place_y
        reals[OWN, one] = far_first
        reals[OWN, other] = far_second
