"""What the script orders in a step: squads drive at clusters of guards and ring them, everybody aims at the nearest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle, Distances
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.opponent.assignment import (
    Groups,
    exchange,
    groups_of,
    inverse,
    neighbours,
    order_across,
    partners,
    pick,
    tournament,
)
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres

#: How far around its target point a squad takes its places.
RING = 0.8
#: Steps of k-means.
LLOYD_STEPS = 20
#: Members of a squad try to exchange places with those so far from them in order, so many times.
_RING_DISTANCES, _RING_TIMES = (3, 2, 1), 2
#: How often all pairs of squads try to exchange targets.
_TARGET_TIMES = 2


@dataclass(frozen=True)
class Orders:
    """The acceleration of each attacker, 0 for the dead, and where it points its weapon, in [0, 2 pi)."""

    acceleration: Float[Tensor, "E 2 H"]
    heading: Float[Tensor, "E H"]


def give_orders(battle: Battle, distances: Distances) -> Orders:
    """The orders of all attackers, from the state before anybody fires or moves."""
    guards = len(distances.guards)
    alive, position, attackers = (
        battle.alive[:, :guards],
        battle.position[..., :guards],
        battle.position[..., guards:],
    )
    count = squads(attackers.shape[2])
    targets = target_points(components(distances.guards), alive, position, count)
    draws = uniforms(battle.key, battle.clock, Purpose.GROUPING, count)
    label, centres = lloyd(attackers, start_centres(attackers, draws), LLOYD_STEPS)
    places = ring_places(attackers, label, centres, squad_targets(centres, targets))
    living = battle.alive[:, guards:].unsqueeze(1)
    return Orders(
        acceleration=(places - attackers) * living,
        heading=aim(attackers, pick(position, distances.nearest_guard)),
    )


def aim(
    attackers: Float[Tensor, "E 2 H"], at: Float[Tensor, "E 2 H"]
) -> Float[Tensor, "E H"]:
    """The direction from each attacker to what it aims at, in [0, 2 pi)."""
    across, along = (at - attackers).unbind(1)
    return torch.atan2(along, across).remainder(2 * math.pi)


def squad_targets(
    centres: Float[Tensor, "E 2 G"], targets: Float[Tensor, "E 2 G"]
) -> Float[Tensor, "E 2 G"]:
    """The target of each squad, each of the targets for one, at nearly the least sum of distances from the centres."""
    games, _, count = centres.shape
    way = (targets.mean(2, keepdim=True) - centres.mean(2, keepdim=True)).expand_as(
        centres
    )
    start = torch.zeros(games, count, dtype=torch.int64, device=centres.device)
    groups = Groups(
        start,
        torch.full_like(start, count),
        torch.arange(count, device=start.device).expand_as(start),
    )
    order = order_across(centres, way, start)
    first = pick(targets, order_across(targets, way, start))
    taken = exchange(
        pick(centres, order),
        first,
        partners(groups, tournament(count, start.device)),
        _TARGET_TIMES,
    )
    return pick(taken, inverse(order))


def ring_places(
    attackers: Float[Tensor, "E 2 H"],
    label: Int[Tensor, "E H"],
    centres: Float[Tensor, "E 2 G"],
    targets: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E 2 H"]:
    """The place of each attacker around its squad's target, at nearly the least sum of distances in each squad.

    A squad of n, the dead included, has the places RING (cos(a i), sin(a i)) for i < n, where a = pi / n - 1 radian.
    """
    way = pick(targets - centres, label)
    order = order_across(attackers - pick(targets, label), way, label)
    label = label.gather(1, order)
    groups = groups_of(label, centres.shape[2])
    angle = groups.rank * (math.pi / groups.size.to(attackers.dtype) - 1)
    ring = RING * torch.stack([angle.cos(), angle.sin()], dim=1)
    places = pick(targets, label) + pick(
        ring, order_across(ring, pick(way, order), label)
    )
    rounds = partners(groups, neighbours(label.shape[1], _RING_DISTANCES, label.device))
    taken = exchange(pick(attackers, order), places, rounds, _RING_TIMES)
    return pick(taken, inverse(order))
