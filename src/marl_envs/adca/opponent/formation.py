"""Where squads go, and how their members stand around their targets."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.opponent.assignment import (
    exchange,
    neighbours,
    partners,
    tournament,
)
from marl_envs.adca.opponent.groups import Groups, inverse, order_across, pick

#: How far from its target point a squad takes its places.
RING = 0.8
#: Members of a squad try to exchange places with those at these distances in their order.
RING_DISTANCES = (3, 2, 1)
#: How often they do.
RING_TIMES = 2
#: How often all pairs of squads try to exchange their targets.
TARGET_TIMES = 2


def squad_targets(
    centres: Float[Tensor, "E 2 G"],
    targets: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E 2 G"]:
    """The target of each squad, at nearly the least sum of distances.

    Args:
        centres: of the squads.
        targets: points to distribute, one for each squad.
    """
    games, _, count = centres.shape
    groups = Groups.of_one(games, count, centres.device)
    middle = centres.mean(2, keepdim=True)
    target_middle = targets.mean(2, keepdim=True)
    way = (target_middle - middle).expand_as(centres)
    one_group = groups.start
    order = order_across(centres, way, one_group)
    target_order = order_across(targets, way, one_group)
    first = pick(targets, target_order)
    rounds = partners(groups, tournament(count, centres.device))
    taken = exchange(pick(centres, order), first, rounds, TARGET_TIMES)
    return pick(taken, inverse(order))


def ring_places(
    attackers: Float[Tensor, "E 2 H"],
    label: Int[Tensor, "E H"],
    centres: Float[Tensor, "E 2 G"],
    targets: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E 2 H"]:
    """The place of each attacker around the target of its squad.

    A squad of n members, the dead included, has the places RING (cos(a i), sin(a i)) for i < n,
    with a = pi / n - 1 radian. In each squad, the sum of distances is nearly the least.

    Args:
        attackers: where they are.
        label: the squad of each.
        centres: of the squads.
        targets: of the squads.
    """
    way = pick(targets - centres, label)
    from_target = attackers - pick(targets, label)
    order = order_across(from_target, way, label)
    label = label.gather(1, order)
    groups = Groups.of_labels(label, centres.shape[2])
    ring = _ring(groups, attackers.dtype)
    ring_order = order_across(ring, pick(way, order), label)
    places = pick(targets, label) + pick(ring, ring_order)
    by_rank = neighbours(label.shape[1], RING_DISTANCES, label.device)
    rounds = partners(groups, by_rank)
    taken = exchange(pick(attackers, order), places, rounds, RING_TIMES)
    return pick(taken, inverse(order))


def _ring(
    groups: Groups,
    dtype: torch.dtype,
) -> Float[Tensor, "E 2 H"]:
    """The place of each rank in a squad, as seen from the target."""
    step = math.pi / groups.size.to(dtype) - 1
    angle = groups.rank * step
    return RING * torch.stack([angle.cos(), angle.sin()], dim=1)
