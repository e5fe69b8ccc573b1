"""Where squads and their members go: ``marl_envs.adca.opponent.formation``."""

# ruff: noqa: UP018 - int(0) makes a variable of Warp's, which 0 does not.

from __future__ import annotations

import math
from typing import no_type_check

import warp as wp

from marl_envs.adca.opponent.formation import (
    RING,
    RING_DISTANCES,
    RING_TIMES,
    TARGET_TIMES,
)
from marl_envs.adca.opponent.groups import APART
from marl_envs.adca.opponent.kernels.exchanges import (
    far_from,
    left_of,
    sort_by,
    try_exchange,
)
from marl_envs.adca.opponent.kernels.rows import (
    CENTRE_X,
    CENTRE_Y,
    GIVEN_X,
    GIVEN_Y,
    KEY,
    ORDER,
    OWN,
    PLACE_X,
    PLACE_Y,
    PLACES,
    TARGET_X,
    TARGET_Y,
    Row,
    Rows,
    WholeRows,
    X,
    Y,
)

_PI = wp.constant(math.pi)
_FARTHEST = wp.constant(max(RING_DISTANCES))


@wp.func
@no_type_check
def sort_squads_and_targets(
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """Sort squads into ORDER and targets into PLACES, both across the way between their means.

    Args:
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    key = reals[KEY]
    along = float(0.0)
    across = float(0.0)
    for squad in range(count):
        along += reals[TARGET_X, squad] - reals[CENTRE_X, squad]
        across += reals[TARGET_Y, squad] - reals[CENTRE_Y, squad]
        whole[ORDER, squad] = squad
        whole[PLACES, squad] = squad
    along = along / float(count)
    across = across / float(count)
    for squad in range(count):
        x = reals[CENTRE_X, squad]
        y = reals[CENTRE_Y, squad]
        key[squad] = left_of(x, y, along, across)
    sort_by(key, whole[ORDER], 0, count)
    for squad in range(count):
        x = reals[TARGET_X, squad]
        y = reals[TARGET_Y, squad]
        key[squad] = left_of(x, y, along, across)
    sort_by(key, whole[PLACES], 0, count)


@wp.func
@no_type_check
def play_tournament(
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """Let pairs of squads exchange targets, in the rounds of ``assignment.tournament``.

    Args:
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    x = reals[CENTRE_X]
    y = reals[CENTRE_Y]
    order = whole[ORDER]
    last = count - 1 + count % 2
    for turn in range(TARGET_TIMES * last):
        for one in range(last):
            other = (turn % last - one + last) % last
            if other == one:
                other = last
            if one < other and other < count:
                try_exchange(x, y, order, reals, one, other)


@wp.func
@no_type_check
def squad_targets(
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """``formation.squad_targets``.

    Args:
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    sort_squads_and_targets(count, reals, whole)
    x = reals[CENTRE_X]
    y = reals[CENTRE_Y]
    for rank in range(count):
        squad = whole[ORDER, rank]
        target = whole[PLACES, rank]
        reals[PLACE_X, rank] = reals[TARGET_X, target]
        reals[PLACE_Y, rank] = reals[TARGET_Y, target]
        reals[OWN, rank] = far_from(
            x[squad],
            y[squad],
            reals,
            rank,
        )
    play_tournament(count, reals, whole)
    for rank in range(count):
        squad = whole[ORDER, rank]
        reals[GIVEN_X, squad] = reals[PLACE_X, rank]
        reals[GIVEN_Y, squad] = reals[PLACE_Y, rank]


@wp.func
@no_type_check
def sort_ring(
    x: Row,
    y: Row,
    squad: int,
    start: int,
    end: int,
    reals: Rows,
    whole: WholeRows,
):
    """Sort the members of a squad within ORDER, and the points of its ring within PLACES.

    The points are left in X and Y, by rank. The offset of the keys is there only so that they are
    rounded as torch's keys are.

    Args:
        x: of the attackers.
        y: of the attackers.
        squad: the index of the squad.
        start: the index of the first rank.
        end: the index after the last rank.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    order = whole[ORDER]
    key = reals[KEY]
    at_x = reals[GIVEN_X, squad]
    at_y = reals[GIVEN_Y, squad]
    along = at_x - reals[CENTRE_X, squad]
    across = at_y - reals[CENTRE_Y, squad]
    offset = float(squad) * APART
    for rank in range(start, end):
        member = order[rank]
        left = left_of(
            x[member] - at_x,
            y[member] - at_y,
            along,
            across,
        )
        key[member] = offset + left
    sort_by(key, order, start, end)
    step = _PI / float(end - start) - 1.0
    for rank in range(start, end):
        angle = float(rank - start) * step
        reals[X, rank] = RING * wp.cos(angle)
        reals[Y, rank] = RING * wp.sin(angle)
        key[rank] = offset + left_of(
            reals[X, rank],
            reals[Y, rank],
            along,
            across,
        )
        whole[PLACES, rank] = rank
    sort_by(key, whole[PLACES], start, end)


@wp.func
@no_type_check
def exchange_in_ring(
    x: Row,
    y: Row,
    start: int,
    end: int,
    reals: Rows,
    whole: WholeRows,
):
    """Let members of a squad exchange places, in the rounds of ``assignment.neighbours``.

    Args:
        x: of the attackers.
        y: of the attackers.
        start: the index of the first rank.
        end: the index after the last rank.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    order = whole[ORDER]
    for _time in range(RING_TIMES):
        for nearer in range(_FARTHEST):
            distance = _FARTHEST - nearer
            for odd in range(2):
                for rank in range(end - start - distance):
                    if (rank / distance + odd) % 2 == 0:
                        one = start + rank
                        try_exchange(x, y, order, reals, one, one + distance)


@wp.func
@no_type_check
def ring_places(
    x: Row,
    y: Row,
    squad: int,
    start: int,
    end: int,
    reals: Rows,
    whole: WholeRows,
):
    """``formation.ring_places`` for one squad.

    The members of the squad are ORDER[start:end], at first in any order, and sorted at the end.

    Args:
        x: of the attackers.
        y: of the attackers.
        squad: the index of the squad.
        start: the index of the first rank.
        end: the index after the last rank.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    sort_ring(x, y, squad, start, end, reals, whole)
    for rank in range(start, end):
        member = whole[ORDER, rank]
        point = whole[PLACES, rank]
        reals[PLACE_X, rank] = reals[GIVEN_X, squad] + reals[X, point]
        reals[PLACE_Y, rank] = reals[GIVEN_Y, squad] + reals[Y, point]
        reals[OWN, rank] = far_from(
            x[member],
            y[member],
            reals,
            rank,
        )
    exchange_in_ring(x, y, start, end, reals, whole)
