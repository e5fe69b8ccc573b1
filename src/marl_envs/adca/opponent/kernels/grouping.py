"""Squads: ``marl_envs.adca.opponent.grouping``."""

# ruff: noqa: UP018, RUF046 - int(0) makes a variable of Warp's, which 0 does not.

from __future__ import annotations

from typing import no_type_check

import warp as wp

from marl_envs.adca.opponent.command import LLOYD_STEPS
from marl_envs.adca.opponent.kernels.draws import seed_of, uniform
from marl_envs.adca.opponent.kernels.rows import (
    CENTRE_SQUARED,
    CENTRE_X,
    CENTRE_Y,
    KEY,
    LABEL,
    LEAST,
    ORDER,
    SIZE,
    Row,
    Rows,
    WholeRows,
    X,
    Y,
)


@wp.func
@no_type_check
def sum_of_least(
    x: Row,
    y: Row,
    attackers: int,
    centre: int,
    reals: Rows,
):
    """The sum of squared distances from the nearest centre so far, given the newest centre.

    Running sums are left in KEY. They are kept in double precision, as torch keeps them on a CPU.

    Args:
        x: of the attackers.
        y: of the attackers.
        attackers: the number of attackers.
        centre: the index of the newest centre.
        reals: the scratch space for numbers.
    """
    centre_x = reals[CENTRE_X, centre]
    centre_y = reals[CENTRE_Y, centre]
    least = reals[LEAST]
    cumulative = reals[KEY]
    total = wp.float64(0.0)
    for attacker in range(attackers):
        across = x[attacker] - centre_x
        along = y[attacker] - centre_y
        near = across * across + along * along
        if centre > 0:
            near = wp.min(near, least[attacker])
        least[attacker] = near
        total += wp.float64(near)
        cumulative[attacker] = float(total)
    return float(total)


@wp.func
@no_type_check
def start_centres(
    key: wp.int64,
    clock: wp.int64,
    x: Row,
    y: Row,
    attackers: int,
    count: int,
    reals: Rows,
):
    """``grouping.start_centres``.

    Args:
        key: the key of the battle.
        clock: the step of the battle.
        x: of the attackers.
        y: of the attackers.
        attackers: the number of attackers.
        count: the number of squads.
        reals: the scratch space for numbers.
    """
    seed = seed_of(key, clock)
    cumulative = reals[KEY]
    chosen = int(uniform(seed, 0) * float(attackers))
    for centre in range(count):
        reals[CENTRE_X, centre] = x[chosen]
        reals[CENTRE_Y, centre] = y[chosen]
        if centre + 1 < count:
            total = sum_of_least(x, y, attackers, centre, reals)
            wanted = uniform(seed, centre + 1) * total
            chosen = int(0)
            while cumulative[chosen] < wanted:
                chosen += 1


@wp.func
@no_type_check
def clear_squads(
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """Sums and sizes of 0, and the squares of the centres' distances from the origin.

    Args:
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    for centre in range(count):
        centre_x = reals[CENTRE_X, centre]
        centre_y = reals[CENTRE_Y, centre]
        reals[CENTRE_SQUARED, centre] = centre_x * centre_x + centre_y * centre_y
        reals[X, centre] = 0.0
        reals[Y, centre] = 0.0
        whole[SIZE, centre] = 0


@wp.func
@no_type_check
def nearest_centres(
    x: Row,
    y: Row,
    attackers: int,
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """The first half of a step of ``grouping.lloyd``: labels, and the sums and sizes of squads.

    Where several centres are equally near, the point counts for each of them, and its label is the
    last of them.

    Args:
        x: of the attackers.
        y: of the attackers.
        attackers: the number of attackers.
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    centre_x = reals[CENTRE_X]
    centre_y = reals[CENTRE_Y]
    squared = reals[CENTRE_SQUARED]
    distance = reals[KEY]
    for attacker in range(attackers):
        at_x = x[attacker]
        at_y = y[attacker]
        least = float(wp.inf)
        label = int(0)
        tie = int(0)
        for centre in range(count):
            product = centre_x[centre] * at_x + centre_y[centre] * at_y
            far = squared[centre] - 2.0 * product
            distance[centre] = far
            if far <= least:
                tie = wp.where(far == least, 1, 0)
                least = far
                label = centre
        whole[LABEL, attacker] = label
        first = wp.where(tie == 1, 0, label)
        for centre in range(first, label + 1):
            if distance[centre] == least:
                reals[X, centre] = reals[X, centre] + at_x
                reals[Y, centre] = reals[Y, centre] + at_y
                whole[SIZE, centre] = whole[SIZE, centre] + 1


@wp.func
@no_type_check
def move_centres(
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """The second half of a step: centres become means; 1 if one of them has moved, else 0.

    Args:
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    moved = int(0)
    for centre in range(count):
        if whole[SIZE, centre] > 0:
            new_x = reals[X, centre] / float(whole[SIZE, centre])
            new_y = reals[Y, centre] / float(whole[SIZE, centre])
            if new_x != reals[CENTRE_X, centre] or new_y != reals[CENTRE_Y, centre]:
                moved = 1
            reals[CENTRE_X, centre] = new_x
            reals[CENTRE_Y, centre] = new_y
    return moved


@wp.func
@no_type_check
def lloyd(
    x: Row,
    y: Row,
    attackers: int,
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """``grouping.lloyd``.

    Args:
        x: of the attackers.
        y: of the attackers.
        attackers: the number of attackers.
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    for _step in range(LLOYD_STEPS):
        clear_squads(count, reals, whole)
        nearest_centres(x, y, attackers, count, reals, whole)
        moved = move_centres(count, reals, whole)
        if moved == 0:
            break


@wp.func
@no_type_check
def sort_by_squad(
    attackers: int,
    count: int,
    whole: WholeRows,
):
    """Sort the attackers by squad into ORDER, and leave in SIZE where each squad ends.

    Args:
        attackers: the number of attackers.
        count: the number of squads.
        whole: the scratch space for whole numbers.
    """
    end = whole[SIZE]
    for squad in range(count):
        end[squad] = 0
    for attacker in range(attackers):
        squad = whole[LABEL, attacker]
        end[squad] = end[squad] + 1
    start = int(0)
    for squad in range(count):
        size = end[squad]
        end[squad] = start
        start += size
    for attacker in range(attackers):
        squad = whole[LABEL, attacker]
        whole[ORDER, end[squad]] = attacker
        end[squad] = end[squad] + 1
