"""The script's orders as one fused kernel: a thread plays all of the script for one battle, in single precision.

It computes what ``command.give_orders`` computes, which says why; here is only how. NVIDIA Warp compiles it, once for
each kind of device, and keeps what it compiled in the user's cache.

Warp's language looks like Python without being it: ``int(0)`` is a variable where ``0`` would be a constant, arrays
are sliced into views, integers of two widths do not mix. No type checker can follow that, hence ``no_type_check`` on
each function; Warp itself checks them.
"""

# ruff: noqa: UP018, RUF046 - for the same reason: int(0) and 0 are not the same here.

from __future__ import annotations

import math
from typing import no_type_check

import warp as wp

from marl_envs.adca.draws import _MULTIPLIER, _STRIDE, _WORD, Purpose
from marl_envs.adca.opponent.assignment import _APART, _LEAST_GAIN
from marl_envs.adca.opponent.clusters import TOGETHER_WITHIN
from marl_envs.adca.opponent.command import (
    _RING_DISTANCES,
    _RING_TIMES,
    _TARGET_TIMES,
    LLOYD_STEPS,
    RING,
)

# Nobody learns through the script, and without gradients there is less to compile. Without fused multiply-adds, two
# expressions of the same numbers are the same number on any device: ties stay ties.
wp.set_module_options({"enable_backward": False, "fuse_fp": False})

#: Rows of the scratch space of a battle, a number for each fighter or squad. Those of one stage serve the next ones.
ROWS = 14
X, Y, LEAST, CENTRE_X, CENTRE_Y, CENTRE_SQUARED = range(6)
TARGET_X, TARGET_Y, GIVEN_X, GIVEN_Y, PLACE_X, PLACE_Y, OWN, KEY = range(6, ROWS)
#: Rows of whole numbers.
WHOLE_ROWS = 5
NAME, LABEL, SIZE, ORDER, PLACES = range(WHOLE_ROWS)

_NEAR = wp.constant(TOGETHER_WITHIN**2)
_TURN = wp.constant(2 * math.pi)
_PI = wp.constant(math.pi)
_WORD_BITS = wp.constant(wp.int64(_WORD))
_FACTOR = wp.constant(wp.int64(_MULTIPLIER))
_STEP = wp.constant(wp.int64(_STRIDE))
_GROUPING = wp.constant(wp.int64(Purpose.GROUPING << 24))
_HALF_WORD = wp.constant(wp.int64(16))
_HIGH_WORD = wp.constant(wp.int64(32))
_GRAIN_BITS = wp.constant(wp.int64(8))
_GRAIN = wp.constant(2.0**-24)
_FARTHEST = wp.constant(max(_RING_DISTANCES))


# Clusters and target points


@wp.func
@no_type_check
def root(name: wp.array(dtype=int), member: int):
    """The lowest name that a member's stands for."""
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
    name: wp.array(dtype=int),
):
    """``clusters.components``: names are joined, the lower one standing for the higher."""
    for one in range(guards):
        name[one] = one
        for other in range(one):
            if squared[one, other, battle] <= _NEAR:
                first = root(name, one)
                second = root(name, other)
                name[wp.max(first, second)] = wp.min(first, second)
    for one in range(guards):
        name[one] = name[name[one]]


@wp.func
@no_type_check
def target_points(
    alive: wp.array(dtype=wp.bool),
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    guards: int,
    count: int,
    reals: wp.array2d(dtype=float),
    whole: wp.array2d(dtype=int),
):
    """``clusters.target_points``: sizes and sums by name, then the clusters in order."""
    name = whole[NAME]
    size = whole[SIZE]
    sum_x = reals[X]
    sum_y = reals[Y]
    target_x = reals[TARGET_X]
    target_y = reals[TARGET_Y]
    for guard in range(guards):
        size[guard] = 0
        sum_x[guard] = 0.0
        sum_y[guard] = 0.0
        if alive[guard]:
            of = name[guard]
            size[of] = size[of] + 1
            sum_x[of] = sum_x[of] + x[guard]
            sum_y[of] = sum_y[of] + y[guard]
    found = int(0)
    told = int(0)
    for guard in range(guards):
        if size[guard] > 1 and found < count:
            target_x[found] = sum_x[guard] / float(size[guard])
            target_y[found] = sum_y[guard] / float(size[guard])
            found += 1
        if size[guard] == 1 and told == 0:
            told = 1
            for alone in range(guard, guards):
                if size[alone] == 1 and found < count:
                    target_x[found] = sum_x[alone]
                    target_y[found] = sum_y[alone]
                    found += 1
    if found == 0:
        target_x[0] = 0.0
        target_y[0] = 0.0
        found = 1
    for rest in range(found, count):
        target_x[rest] = target_x[found - 1]
        target_y[rest] = target_y[found - 1]


# Squads


@wp.func
@no_type_check
def mix(word: wp.int64):
    """``draws._mix``."""
    once = (((word >> _HALF_WORD) ^ word) * _FACTOR) & _WORD_BITS
    twice = (((once >> _HALF_WORD) ^ once) * _FACTOR) & _WORD_BITS
    return (twice >> _HALF_WORD) ^ twice


@wp.func
@no_type_check
def uniform(seed: wp.int64, place: int):
    """``draws.uniforms`` at one place, given what the key, the step and the purpose make."""
    word = mix(mix((seed + wp.int64(place) * _STEP) & _WORD_BITS))
    return float(word >> _GRAIN_BITS) * _GRAIN


@wp.func
@no_type_check
def start_centres(
    key: wp.int64,
    clock: wp.int64,
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    attackers: int,
    count: int,
    reals: wp.array2d(dtype=float),
):
    """``grouping.start_centres``; sums are kept in double precision, as torch keeps them on a CPU."""
    seed = mix(
        (
            mix(
                (mix((key & _WORD_BITS) ^ _GROUPING) + (key >> _HIGH_WORD)) & _WORD_BITS
            )
            + clock
        )
        & _WORD_BITS
    )
    least = reals[LEAST]
    cumulative = reals[KEY]
    chosen = int(uniform(seed, 0) * float(attackers))
    for centre in range(count):
        at_x = x[chosen]
        at_y = y[chosen]
        reals[CENTRE_X, centre] = at_x
        reals[CENTRE_Y, centre] = at_y
        if centre + 1 < count:
            total = wp.float64(0.0)
            for one in range(attackers):
                across = x[one] - at_x
                along = y[one] - at_y
                near = across * across + along * along
                if centre > 0:
                    near = wp.min(near, least[one])
                least[one] = near
                total += wp.float64(near)
                cumulative[one] = float(total)
            wanted = uniform(seed, centre + 1) * float(total)
            chosen = int(0)
            while cumulative[chosen] < wanted:
                chosen += 1


@wp.func
@no_type_check
def nearest_centres(
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    attackers: int,
    count: int,
    reals: wp.array2d(dtype=float),
    whole: wp.array2d(dtype=int),
):
    """A half of ``grouping.lloyd``: labels, and the sums and sizes of what is nearest to each centre.

    Of centres equally near, all count the point as theirs, and the last one is its label.
    """
    centre_x = reals[CENTRE_X]
    centre_y = reals[CENTRE_Y]
    squared = reals[CENTRE_SQUARED]
    distance = reals[KEY]
    for one in range(attackers):
        at_x = x[one]
        at_y = y[one]
        least = float(wp.inf)
        label = int(0)
        equal = int(0)
        for centre in range(count):
            far = squared[centre] - 2.0 * (
                centre_x[centre] * at_x + centre_y[centre] * at_y
            )
            distance[centre] = far
            if far <= least:
                equal = wp.where(far == least, 1, 0)
                least = far
                label = centre
        whole[LABEL, one] = label
        first = wp.where(equal == 1, 0, label)
        for centre in range(first, label + 1):
            if distance[centre] == least:
                reals[X, centre] = reals[X, centre] + at_x
                reals[Y, centre] = reals[Y, centre] + at_y
                whole[SIZE, centre] = whole[SIZE, centre] + 1


@wp.func
@no_type_check
def lloyd(
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    attackers: int,
    count: int,
    reals: wp.array2d(dtype=float),
    whole: wp.array2d(dtype=int),
):
    """``grouping.lloyd``."""
    for _step in range(LLOYD_STEPS):
        for centre in range(count):
            c_x = reals[CENTRE_X, centre]
            c_y = reals[CENTRE_Y, centre]
            reals[CENTRE_SQUARED, centre] = c_x * c_x + c_y * c_y
            reals[X, centre] = 0.0
            reals[Y, centre] = 0.0
            whole[SIZE, centre] = 0
        nearest_centres(x, y, attackers, count, reals, whole)
        moved = int(0)
        for centre in range(count):
            if whole[SIZE, centre] > 0:
                new_x = reals[X, centre] / float(whole[SIZE, centre])
                new_y = reals[Y, centre] / float(whole[SIZE, centre])
                if new_x != reals[CENTRE_X, centre] or new_y != reals[CENTRE_Y, centre]:
                    moved = 1
                reals[CENTRE_X, centre] = new_x
                reals[CENTRE_Y, centre] = new_y
        if moved == 0:
            break


# Assignments


@wp.func
@no_type_check
def left_of(x: float, y: float, along: float, across: float):
    """How far left of the way a point lies."""
    return (y * along - x * across) / wp.max(
        wp.sqrt(along * along + across * across), 1.0e-9
    )


@wp.func
@no_type_check
def sort_by(
    key: wp.array(dtype=float), order: wp.array(dtype=int), start: int, end: int
):
    """Sort order[start:end] by key[order[...]], equals as they are."""
    for place in range(start + 1, end):
        one = order[place]
        value = key[one]
        at = int(place)
        while at > start and key[order[wp.max(at - 1, 0)]] > value:
            order[at] = order[at - 1]
            at -= 1
        order[at] = one


@wp.func
@no_type_check
def far_from(x: float, y: float, reals: wp.array2d(dtype=float), place: int):
    """How far a member at (x, y) is from a place."""
    across = x - reals[PLACE_X, place]
    along = y - reals[PLACE_Y, place]
    return wp.sqrt(across * across + along * along)


@wp.func
@no_type_check
def try_exchange(
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    order: wp.array(dtype=int),
    reals: wp.array2d(dtype=float),
    one: int,
    other: int,
):
    """Have the members of two ranks exchange their places if both together gain."""
    first = order[one]
    second = order[other]
    far_first = far_from(x[first], y[first], reals, other)
    far_second = far_from(x[second], y[second], reals, one)
    if (reals[OWN, one] - far_first) + (reals[OWN, other] - far_second) > _LEAST_GAIN:
        place_x = reals[PLACE_X, one]
        place_y = reals[PLACE_Y, one]
        reals[PLACE_X, one] = reals[PLACE_X, other]
        reals[PLACE_Y, one] = reals[PLACE_Y, other]
        reals[PLACE_X, other] = place_x
        reals[PLACE_Y, other] = place_y
        reals[OWN, one] = far_first
        reals[OWN, other] = far_second


@wp.func
@no_type_check
def squad_targets(
    count: int, reals: wp.array2d(dtype=float), whole: wp.array2d(dtype=int)
):
    """``command.squad_targets``; the rounds of ``assignment.tournament``."""
    x = reals[CENTRE_X]
    y = reals[CENTRE_Y]
    key = reals[KEY]
    order = whole[ORDER]
    places = whole[PLACES]
    along = float(0.0)
    across = float(0.0)
    for squad in range(count):
        along += reals[TARGET_X, squad] - x[squad]
        across += reals[TARGET_Y, squad] - y[squad]
        order[squad] = squad
        places[squad] = squad
    along = along / float(count)
    across = across / float(count)
    for squad in range(count):
        key[squad] = left_of(x[squad], y[squad], along, across)
    sort_by(key, order, 0, count)
    for squad in range(count):
        key[squad] = left_of(
            reals[TARGET_X, squad], reals[TARGET_Y, squad], along, across
        )
    sort_by(key, places, 0, count)
    for rank in range(count):
        reals[PLACE_X, rank] = reals[TARGET_X, places[rank]]
        reals[PLACE_Y, rank] = reals[TARGET_Y, places[rank]]
        reals[OWN, rank] = far_from(x[order[rank]], y[order[rank]], reals, rank)
    last = count - 1 + count % 2
    for turn in range(_TARGET_TIMES * last):
        for one in range(last):
            other = (turn % last - one + last) % last
            if other == one:
                other = last
            if one < other and other < count:
                try_exchange(x, y, order, reals, one, other)
    for rank in range(count):
        reals[GIVEN_X, order[rank]] = reals[PLACE_X, rank]
        reals[GIVEN_Y, order[rank]] = reals[PLACE_Y, rank]


@wp.func
@no_type_check
def ring_places(
    x: wp.array(dtype=float),
    y: wp.array(dtype=float),
    squad: int,
    start: int,
    end: int,
    reals: wp.array2d(dtype=float),
    whole: wp.array2d(dtype=int),
):
    """``command.ring_places`` for one squad, whose members are order[start:end], in any order before and sorted after.

    Ring points wait in X and Y, by rank. The keys' offset does nothing here but round them as torch's are rounded.
    """
    order = whole[ORDER]
    places = whole[PLACES]
    key = reals[KEY]
    at_x = reals[GIVEN_X, squad]
    at_y = reals[GIVEN_Y, squad]
    along = at_x - reals[CENTRE_X, squad]
    across = at_y - reals[CENTRE_Y, squad]
    offset = float(squad) * _APART
    for rank in range(start, end):
        one = order[rank]
        key[one] = offset + left_of(x[one] - at_x, y[one] - at_y, along, across)
    sort_by(key, order, start, end)
    step = _PI / float(end - start) - 1.0
    for rank in range(start, end):
        angle = float(rank - start) * step
        reals[X, rank] = RING * wp.cos(angle)
        reals[Y, rank] = RING * wp.sin(angle)
        key[rank] = offset + left_of(reals[X, rank], reals[Y, rank], along, across)
        places[rank] = rank
    sort_by(key, places, start, end)
    for rank in range(start, end):
        one = order[rank]
        reals[PLACE_X, rank] = at_x + reals[X, places[rank]]
        reals[PLACE_Y, rank] = at_y + reals[Y, places[rank]]
        reals[OWN, rank] = far_from(x[one], y[one], reals, rank)
    for _time in range(_RING_TIMES):
        for nearer in range(_FARTHEST):
            distance = _FARTHEST - nearer
            for odd in range(2):
                for rank in range(end - start - distance):
                    if (rank / distance + odd) % 2 == 0:
                        try_exchange(
                            x, y, order, reals, start + rank, start + rank + distance
                        )


@wp.func
@no_type_check
def by_squad(attackers: int, count: int, whole: wp.array2d(dtype=int)):
    """Sort the attackers by squad into ORDER; where each squad ends, in SIZE."""
    end = whole[SIZE]
    for squad in range(count):
        end[squad] = 0
    for one in range(attackers):
        of = whole[LABEL, one]
        end[of] = end[of] + 1
    start = int(0)
    for squad in range(count):
        size = end[squad]
        end[squad] = start
        start += size
    for one in range(attackers):
        of = whole[LABEL, one]
        whole[ORDER, end[of]] = one
        end[of] = end[of] + 1


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
    """``command.give_orders`` for the battle of this thread."""
    battle = wp.tid()
    reals = reals_of_all[battle]
    whole = whole_of_all[battle]
    x = position[battle, 0]
    y = position[battle, 1]
    components(squared, battle, guards, whole[NAME])
    target_points(alive[battle], x, y, guards, count, reals, whole)
    hostile_x = position[battle, 0, guards:]
    hostile_y = position[battle, 1, guards:]
    start_centres(
        key[battle], clock[battle], hostile_x, hostile_y, attackers, count, reals
    )
    lloyd(hostile_x, hostile_y, attackers, count, reals, whole)
    squad_targets(count, reals, whole)
    by_squad(attackers, count, whole)
    start = int(0)
    for squad in range(count):
        end = whole[SIZE, squad]
        ring_places(hostile_x, hostile_y, squad, start, end, reals, whole)
        start = end
    for rank in range(attackers):
        one = whole[ORDER, rank]
        lives = wp.where(alive[battle, guards + one], 1.0, 0.0)
        at_x = hostile_x[one]
        at_y = hostile_y[one]
        acceleration[battle, 0, one] = (reals[PLACE_X, rank] - at_x) * lives
        acceleration[battle, 1, one] = (reals[PLACE_Y, rank] - at_y) * lives
        aimed_at = int(nearest_guard[battle, one])
        angle = wp.atan2(y[aimed_at] - at_y, x[aimed_at] - at_x)
        heading[battle, one] = wp.where(angle < 0.0, angle + _TURN, angle)
