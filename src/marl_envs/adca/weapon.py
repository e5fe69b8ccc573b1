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

    Few pairs of opponents are ever near enough, so only those are looked at. On a GPU, finding them
    makes the host wait for the device twice.

    Args:
        battle: with the headings and the ground as they are when the shots fall.
        distances: of this battle.
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
    towards: Float[Tensor, "p 2"],
    heading: Float[Tensor, "p"],
    terrain: Float[Tensor, "p"],
) -> Bool[Tensor, "p"]:
    """Whether targets lie within the fan and the reach of a weapon.

    Args:
        towards: from the shooter to the target.
        heading: the shooter's, in radians.
        terrain: the factor of the ground under the shooter; the target's ground does not matter.
    """
    bearing = torch.atan2(towards[:, 1], towards[:, 0])
    distance = towards.square().sum(-1)
    reach = (REACH * terrain).square()
    off_centre = wrap(bearing - heading).abs()
    return (distance <= reach) & (off_centre <= FAN / 2)
