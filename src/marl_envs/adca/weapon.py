"""Weapons: every living fighter fires in every step, and one hit kills."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.distances import Distances
from marl_envs.adca.physics import BEST_GROUND, wrap

#: How far a weapon reaches on flat ground.
REACH = 0.4
#: The opening of the fan that a weapon covers, in radians.
FAN = math.pi / 4
#: A squared distance beyond which no weapon reaches, on the best ground and with rounding.
_REACHABLE = (REACH * BEST_GROUND) ** 2 * 1.001


class Fire(NamedTuple):
    """The shots of a step.

    Attributes:
        hit: who has hit somebody.
        was_hit: who has been hit.
    """

    hit: Bool[Tensor, "E P"]
    was_hit: Bool[Tensor, "E P"]


class _Pairs(NamedTuple):
    """Pairs of opponents near enough to be looked at: their battle, guard and attacker."""

    game: Int[Tensor, "p"]
    guard: Int[Tensor, "p"]
    attacker: Int[Tensor, "p"]


def fire(
    battle: Battle,
    distances: Distances,
) -> Fire:
    """All shots of a step. They fall at once, so two fighters may kill each other.

    Args:
        battle: with the headings and the ground as they are when the shots fall.
        distances: of this battle.
    """
    if battle.alive.is_cpu:
        return _fire_of_near_pairs(battle, distances)
    return _fire_of_all_pairs(battle, distances)


def _fire_of_all_pairs(
    battle: Battle,
    distances: Distances,
) -> Fire:
    """The shots, without a question to the device: every guard and every attacker are a pair."""
    guards = distances.attackers_guards.shape[1]
    ours, theirs = battle.position.tensor_split([guards], dim=2)
    from_guard = theirs.unsqueeze(2) - ours.unsqueeze(3)
    from_guard = from_guard.movedim(1, -1)
    our_heading, their_heading = battle.heading.tensor_split([guards], dim=1)
    our_ground, their_ground = battle.terrain.tensor_split([guards], dim=1)
    near = distances.attackers_guards.permute(2, 1, 0) <= _REACHABLE
    by_guards = near & in_fan(
        from_guard,
        our_heading.unsqueeze(2),
        our_ground.unsqueeze(2),
    )
    by_attackers = near & in_fan(
        -from_guard,
        their_heading.unsqueeze(1),
        their_ground.unsqueeze(1),
    )
    hit = [by_guards.any(2), by_attackers.any(1)]
    was_hit = [by_attackers.any(2), by_guards.any(1)]
    return Fire(torch.cat(hit, 1), torch.cat(was_hit, 1))


def _fire_of_near_pairs(
    battle: Battle,
    distances: Distances,
) -> Fire:
    """The shots, in a fraction of the operations: few pairs of opponents are ever near enough.

    How many they are would have to be asked of another device.
    """
    games, fighters = battle.alive.shape
    guards = distances.attackers_guards.shape[1]
    pairs = _near_pairs(distances)
    game = pairs.game
    attacker = guards + pairs.attacker
    # Indices into all fighters of all battles.
    first = game * fighters + pairs.guard
    second = game * fighters + attacker
    from_guard = (
        battle.position[game, :, attacker] - battle.position[game, :, pairs.guard]
    )
    heading = battle.heading.flatten()
    terrain = battle.terrain.flatten()
    hit = torch.zeros(
        games * fighters,
        dtype=torch.bool,
        device=heading.device,
    )
    was_hit = torch.zeros_like(hit)

    def shoot(
        shooter: Tensor,
        target: Tensor,
        towards: Tensor,
    ) -> None:
        inside = in_fan(towards, heading[shooter], terrain[shooter])
        hit.index_fill_(0, shooter[inside], True)
        was_hit.index_fill_(0, target[inside], True)

    shoot(first, second, from_guard)
    shoot(second, first, -from_guard)
    return Fire(hit.view_as(battle.alive), was_hit.view_as(battle.alive))


def _near_pairs(distances: Distances) -> _Pairs:
    """The pairs of living opponents that some ground may bring within reach of each other.

    First the attackers whose nearest guard is near, then all near guards of these attackers.
    """
    near_attacker = distances.nearest <= _REACHABLE
    attacker, game = near_attacker.nonzero(as_tuple=True)
    near_guard = distances.attackers_guards[attacker, :, game] <= _REACHABLE
    row, guard = near_guard.nonzero(as_tuple=True)
    return _Pairs(game[row], guard, attacker[row])


def in_fan(
    towards: Float[Tensor, "*B 2"],
    heading: Float[Tensor, "*#B"],
    terrain: Float[Tensor, "*#B"],
) -> Bool[Tensor, "*B"]:
    """Whether targets lie within the fan and the reach of a weapon.

    Args:
        towards: from the shooter to the target.
        heading: the shooter's, in radians.
        terrain: the factor of the ground under the shooter; the target's ground does not matter.
    """
    bearing = torch.atan2(towards[..., 1], towards[..., 0])
    distance = towards.square().sum(-1)
    reach = (REACH * terrain).square()
    off_centre = wrap(bearing - heading).abs()
    return (distance <= reach) & (off_centre <= FAN / 2)
