"""The orders of a step: squads drive at clusters of guards, ring them, and aim at the nearest."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.distances import Distances
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.formation import ring_places, squad_targets
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres
from marl_envs.adca.opponent.groups import pick
from marl_envs.adca.opponent.orders import Orders

#: The number of steps of k-means, at most.
LLOYD_STEPS = 20


def give_orders(
    battle: Battle,
    distances: Distances,
) -> Orders:
    """The orders of all attackers.

    Args:
        battle: before anybody fires or moves.
        distances: of this battle.
    """
    guards_count = len(distances.guards)
    guards, attackers = battle.position.tensor_split([guards_count], dim=2)
    alive, living = battle.alive.tensor_split([guards_count], dim=1)
    count = squads(attackers.shape[2])
    component = components(distances.guards)
    targets = target_points(component, alive, guards, count)
    draws = uniforms(battle.key, battle.clock, Purpose.GROUPING, count)
    first_centres = start_centres(attackers, draws)
    label, centres = lloyd(attackers, first_centres, LLOYD_STEPS)
    own_targets = squad_targets(centres, targets)
    places = ring_places(attackers, label, centres, own_targets)
    acceleration = (places - attackers) * living.unsqueeze(1)
    nearest_guard = pick(guards, distances.nearest_guard)
    return Orders(acceleration=acceleration, heading=aim(attackers, nearest_guard))


def aim(
    attackers: Float[Tensor, "E 2 H"],
    at: Float[Tensor, "E 2 H"],
) -> Float[Tensor, "E H"]:
    """The direction from each attacker to what it aims at, in [0, 2 pi).

    Args:
        attackers: where they are.
        at: the point that each one aims at.
    """
    across, along = (at - attackers).unbind(1)
    return torch.atan2(along, across).remainder(2 * math.pi)
