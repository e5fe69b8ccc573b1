"""Weapons: every living fighter fires in every step, and one hit kills."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_envs.adca.battle import Battle, Distances
from marl_envs.adca.physics import BEST_GROUND, wrap

#: How far a weapon reaches on flat ground, and the opening of the fan that it covers.
REACH = 0.4
FAN = math.pi / 4
#: No weapon reaches further than the root of this, rounding included.
_REACHABLE = (REACH * BEST_GROUND) ** 2 * 1.001


class Fire(NamedTuple):
    """Who hit somebody, and who was hit."""

    hit: Bool[Tensor, "E P"]
    was_hit: Bool[Tensor, "E P"]


def fire(battle: Battle, distances: Distances) -> Fire:
    """Everybody's shots at once, so that two may kill each other.

    Few pairs are ever near enough, so only those are looked at: on a GPU this costs two synchronisations.

    Args:
        battle: with the headings and the ground as of now.
        distances: of this battle.
    """
    games, fighters = battle.alive.shape
    guards = distances.attackers_guards.shape[1]
    attacker, game = (distances.nearest <= _REACHABLE).nonzero(as_tuple=True)
    row, guard = (distances.attackers_guards[attacker, :, game] <= _REACHABLE).nonzero(
        as_tuple=True
    )
    game, attacker = game[row], attacker[row]
    first, second = game * fighters + guard, game * fighters + guards + attacker
    between = (
        battle.position[game, :, guards + attacker] - battle.position[game, :, guard]
    )
    hit = torch.zeros(games * fighters, dtype=torch.bool, device=battle.alive.device)
    was_hit = torch.zeros_like(hit)
    for shooter, target, towards in (
        (first, second, between),
        (second, first, -between),
    ):
        inside = in_fan(
            towards,
            battle.heading.flatten()[shooter],
            battle.terrain.flatten()[shooter],
        )
        hit.index_fill_(0, shooter[inside], True)
        was_hit.index_fill_(0, target[inside], True)
    return Fire(hit.view_as(battle.alive), was_hit.view_as(battle.alive))


def in_fan(
    towards: Float[Tensor, "p 2"],
    heading: Float[Tensor, "p"],
    terrain: Float[Tensor, "p"],
) -> Tensor:
    """Whether a target lies within reach and within the fan; only the shooter's ground counts."""
    bearing = torch.atan2(towards[:, 1], towards[:, 0])
    near = towards.square().sum(-1) <= (REACH * terrain).square()
    return near & (wrap(bearing - heading).abs() <= FAN / 2)
