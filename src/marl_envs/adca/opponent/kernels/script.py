"""The kernel: ``marl_envs.adca.opponent.command`` for one battle in each thread."""

# ruff: noqa: UP018, RUF046 - int(0) makes a variable of Warp's, which 0 does not.

from __future__ import annotations

import math
from typing import no_type_check

import warp as wp

from marl_envs.adca.opponent.kernels.clusters import components, target_points
from marl_envs.adca.opponent.kernels.formation import ring_places, squad_targets
from marl_envs.adca.opponent.kernels.grouping import (
    lloyd,
    sort_by_squad,
    start_centres,
)
from marl_envs.adca.opponent.kernels.rows import (
    NAME,
    ORDER,
    PLACE_X,
    PLACE_Y,
    SIZE,
    Row,
    Rows,
    WholeRows,
)

# Nothing learns through the script, and without gradients there is less to compile. Without fused
# multiply-adds, two expressions of the same numbers give the same result on any device: ties stay
# ties.
wp.set_module_options({"enable_backward": False, "fuse_fp": False})

_TURN = wp.constant(2 * math.pi)


@wp.func
@no_type_check
def send_squads(
    x: Row,
    y: Row,
    count: int,
    reals: Rows,
    whole: WholeRows,
):
    """Give each attacker its place around the target of its squad.

    Args:
        x: of the attackers.
        y: of the attackers.
        count: the number of squads.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
    """
    start = int(0)
    for squad in range(count):
        end = whole[SIZE, squad]
        ring_places(x, y, squad, start, end, reals, whole)
        start = end


@wp.func
@no_type_check
def direction(
    across: float,
    along: float,
):
    """``command.aim``: a direction in [0, 2 pi).

    Args:
        across: along x.
        along: along y.
    """
    angle = wp.atan2(along, across)
    return wp.where(angle < 0.0, angle + _TURN, angle)


@wp.func
@no_type_check
def write_orders(
    alive: wp.array(dtype=wp.bool),
    x: Row,
    y: Row,
    nearest_guard: wp.array(dtype=wp.int64),
    guards: int,
    attackers: int,
    reals: Rows,
    whole: WholeRows,
    acceleration: Rows,
    heading: Row,
):
    """Turn places into accelerations, and nearest guards into headings.

    Args:
        alive: who lives.
        x: of all fighters.
        y: of all fighters.
        nearest_guard: of each attacker.
        guards: the number of guards.
        attackers: the number of attackers.
        reals: the scratch space for numbers.
        whole: the scratch space for whole numbers.
        acceleration: where the result goes.
        heading: where the result goes.
    """
    for rank in range(attackers):
        member = whole[ORDER, rank]
        lives = wp.where(alive[guards + member], 1.0, 0.0)
        at_x = x[guards + member]
        at_y = y[guards + member]
        acceleration[0, member] = (reals[PLACE_X, rank] - at_x) * lives
        acceleration[1, member] = (reals[PLACE_Y, rank] - at_y) * lives
        aimed_at = int(nearest_guard[member])
        across = x[aimed_at] - at_x
        along = y[aimed_at] - at_y
        heading[member] = direction(across, along)


@wp.kernel
@no_type_check
def give_orders(
    alive: wp.array2d(dtype=wp.bool),
    position: wp.array3d(dtype=float),
    key: wp.array(dtype=wp.int64),
    clock: wp.array(dtype=wp.int64),
    squared: wp.array3d(dtype=float),
    nearest_guard: wp.array2d(dtype=wp.int64),
    guards: int,
    attackers: int,
    count: int,
    reals_of_all: wp.array3d(dtype=float),
    whole_of_all: wp.array3d(dtype=int),
    acceleration: wp.array3d(dtype=float),
    heading: wp.array2d(dtype=float),
):
    """``command.give_orders`` for the battle of this thread.

    Args:
        alive: as in ``Battle``.
        position: as in ``Battle``.
        key: as in ``Battle``.
        clock: as in ``Battle``.
        squared: ``Distances.guards``.
        nearest_guard: as in ``Distances``.
        guards: the number of guards.
        attackers: the number of attackers.
        count: the number of squads.
        reals_of_all: the scratch space for numbers, of all battles.
        whole_of_all: the scratch space for whole numbers, of all battles.
        acceleration: where the result goes, as in ``Orders``.
        heading: where the result goes, as in ``Orders``.
    """
    battle = wp.tid()
    reals = reals_of_all[battle]
    whole = whole_of_all[battle]
    x = position[battle, 0]
    y = position[battle, 1]
    hostile_x = position[battle, 0, guards:]
    hostile_y = position[battle, 1, guards:]
    moment = clock[battle]
    components(squared, battle, guards, whole[NAME])
    target_points(
        alive[battle],
        x,
        y,
        guards,
        count,
        reals,
        whole,
    )
    start_centres(
        key[battle],
        moment,
        hostile_x,
        hostile_y,
        attackers,
        count,
        reals,
    )
    lloyd(hostile_x, hostile_y, attackers, count, reals, whole)
    squad_targets(count, reals, whole)
    sort_by_squad(attackers, count, whole)
    send_squads(hostile_x, hostile_y, count, reals, whole)
    write_orders(
        alive[battle],
        x,
        y,
        nearest_guard[battle],
        guards,
        attackers,
        reals,
        whole,
        acceleration[battle],
        heading[battle],
    )
