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
    inverse,
    order_across,
    rows,
    smallest_power_of_two,
)
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres

#: How far around its target point a squad takes its places.
RING = 0.8
#: Steps of k-means.
LLOYD_STEPS = 20
#: Members of a squad try to exchange places with ranks that differ in these low bits, so many times.
_RING_OFFSETS, _RING_ROUNDS = 8, 2
#: How often all pairs of squads try to exchange targets.
_TARGET_ROUNDS = 2


@dataclass(frozen=True)
class Orders:
    """The acceleration of each attacker, 0 for the dead, and where it points its weapon, in [0, 2 pi)."""

    acceleration: Float[Tensor, "E H 2"]
    heading: Float[Tensor, "E H"]


def give_orders(battle: Battle, distances: Distances) -> Orders:
    """The orders of all attackers, from the state before anybody fires or moves."""
    guards = distances.guards.shape[1]
    alive, position = battle.alive[:, :guards], battle.position[:, :guards]
    attackers = battle.position[:, guards:]
    count = squads(attackers.shape[1])
    targets = target_points(components(distances.guards), alive, position, count)
    draws = uniforms(battle.key, battle.clock, Purpose.GROUPING, count)
    label, centres = lloyd(attackers, start_centres(attackers, draws), LLOYD_STEPS)
    places = ring_places(attackers, label, centres, squad_targets(centres, targets))
    living = battle.alive[:, guards:].unsqueeze(-1)
    return Orders(
        acceleration=torch.where(living, places - attackers, 0.0),
        heading=aim(attackers, position, distances.attackers_guards),
    )


def aim(
    attackers: Float[Tensor, "E H 2"], guards: Float[Tensor, "E N 2"], squared: Float[Tensor, "E H N"]
) -> Float[Tensor, "E H"]:
    """The direction of the nearest living guard, in [0, 2 pi)."""
    towards = rows(guards, squared.min(dim=2).indices) - attackers
    return torch.atan2(towards[..., 1], towards[..., 0]).remainder(2 * math.pi)


def squad_targets(centres: Float[Tensor, "E G 2"], targets: Float[Tensor, "E G 2"]) -> Float[Tensor, "E G 2"]:
    """The target of each squad, each of the targets for one, at nearly the least sum of distances from the centres."""
    games, count = centres.shape[:2]
    way = (targets.mean(1, keepdim=True) - centres.mean(1, keepdim=True)).expand_as(centres)
    everybody = torch.zeros(games, count, dtype=torch.int64, device=centres.device)
    rank = torch.arange(count, device=centres.device).expand(games, -1)
    order = order_across(centres, way, everybody)
    first = rows(targets, order_across(targets, way, everybody))
    groups = Groups(everybody, torch.full_like(everybody, count), rank)
    taken = exchange(rows(centres, order), first, groups, smallest_power_of_two(count), _TARGET_ROUNDS)
    return rows(taken, inverse(order))


def ring_places(
    attackers: Float[Tensor, "E H 2"],
    label: Int[Tensor, "E H"],
    centres: Float[Tensor, "E G 2"],
    targets: Float[Tensor, "E G 2"],
) -> Float[Tensor, "E H 2"]:
    """The place of each attacker around its squad's target, at nearly the least sum of distances in each squad.

    A squad of n, the dead included, has the places RING (cos(a i), sin(a i)) for i < n, where a = pi / n - 1 radian.
    """
    way = rows(targets - centres, label)
    order = order_across(attackers - rows(targets, label), way, label)
    label = label.gather(1, order)
    groups = _groups(label, centres.shape[1])
    angle = groups.rank * (math.pi / groups.size.to(attackers.dtype) - 1)
    ring = RING * torch.stack([angle.cos(), angle.sin()], dim=-1)
    places = rows(targets, label) + rows(ring, order_across(ring, rows(way, order), label))
    taken = exchange(rows(attackers, order), places, groups, _RING_OFFSETS, _RING_ROUNDS)
    return rows(taken, inverse(order))


def _groups(label: Int[Tensor, "E H"], count: int) -> Groups:
    """The groups of sorted labels."""
    size = (label.unsqueeze(1) == torch.arange(count, device=label.device).unsqueeze(-1)).sum(-1)
    start = (size.cumsum(1) - size).gather(1, label)
    rank = torch.arange(label.shape[1], device=label.device) - start
    return Groups(start, size.gather(1, label), rank)
