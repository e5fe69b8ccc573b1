"""Target points: ``marl_envs.adca.opponent.clusters``."""

# ruff: noqa: UP018, RUF046 - int(0) makes a variable of Warp's, which 0 does not.

from __future__ import annotations

from typing import no_type_check

import warp as wp

from marl_envs.adca.opponent.clusters import TOGETHER_WITHIN
from marl_envs.adca.opponent.kernels.rows import (
    NAME,
    SIZE,
    TARGET_X,
    TARGET_Y,
    Row,
    Rows,
    WholeRow,
    WholeRows,
    X,
    Y,
)

_NEAR = wp.constant(TOGETHER_WITHIN**2)


@wp.func
@no_type_check
def root(
    name: WholeRow,
    member: int,
):
    """The lowest name that the name of a member leads to.

    Args:
        name: the names of the guards' clusters.
        member: the index of a guard.
    """
    found = int(member)
    while name[found] != found:
        found = name[found]
    return found


@wp.func
@no_type_check
def components(
    squared: wp.array3d(dtype=float),
    battle: int,
    guards: int,
    name: WholeRow,
):
    """``clusters.components``: names are joined, and the lower one stands for the higher one.

    Args:
        squared: ``Distances.guards``.
        battle: the index of the battle.
        guards: the number of guards.
        name: the names of the guards' clusters.
    """
    for guard in range(guards):
        name[guard] = guard
        for other in range(guard):
            if squared[guard, other, battle] <= _NEAR:
                first = root(name, guard)
                second = root(name, other)
                name[wp.max(first, second)] = wp.min(first, second)
    for guard in range(guards):
        name[guard] = name[name[guard]]


@wp.func
@no_type_check
def sum_clusters(
    alive: wp.array(dtype=wp.bool),
    x: Row,
    y: Row,
    guards: int,
    reals: Rows,
    whole: WholeRows,
):
    """The size of each cluster, and the sums of its coordinates, at its name.

    Args:
        alive: who lives.
        x: of the guards.
        y: of the guards.
        guards: the number of guards.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    name = whole[NAME]
    size = whole[SIZE]
    sum_x = reals[X]
    sum_y = reals[Y]
    for guard in range(guards):
        size[guard] = 0
        sum_x[guard] = 0.0
        sum_y[guard] = 0.0
        if alive[guard]:
            cluster = name[guard]
            size[cluster] = size[cluster] + 1
            sum_x[cluster] = sum_x[cluster] + x[guard]
            sum_y[cluster] = sum_y[cluster] + y[guard]


@wp.func
@no_type_check
def target_points(
    alive: wp.array(dtype=wp.bool),
    x: Row,
    y: Row,
    guards: int,
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """``clusters.target_points``: sizes and sums by name, then the clusters in order.

    Args:
        alive: who lives.
        x: of the guards.
        y: of the guards.
        guards: the number of guards.
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    sum_clusters(alive, x, y, guards, reals, whole)
    size = whole[SIZE]
    sum_x = reals[X]
    sum_y = reals[Y]
    target_x = reals[TARGET_X]
    target_y = reals[TARGET_Y]
    found = int(0)
    lone_ones_found = int(0)
    for guard in range(guards):
        if size[guard] > 1 and found < count:
            target_x[found] = sum_x[guard] / float(size[guard])
            target_y[found] = sum_y[guard] / float(size[guard])
            found += 1
        if size[guard] == 1 and lone_ones_found == 0:
            lone_ones_found = 1
            for alone in range(guard, guards):
                if size[alone] == 1 and found < count:
                    target_x[found] = sum_x[alone]
                    target_y[found] = sum_y[alone]
                    found += 1
    repeat_last(found, count, target_x, target_y)


@wp.func
@no_type_check
def repeat_last(
    found: int,
    count: int,
    target_x: Row,
    target_y: Row,
):
    """Fill up with the last target found; with the origin where there is none.

    Args:
        found: the number of targets found.
        count: the number of squads.
        target_x: the row TARGET_X.
        target_y: the row TARGET_Y.
    """
    first_missing = int(found)
    if first_missing == 0:
        target_x[0] = 0.0
        target_y[0] = 0.0
        first_missing = 1
    for rest in range(first_missing, count):
        target_x[rest] = target_x[first_missing - 1]
        target_y[rest] = target_y[first_missing - 1]
