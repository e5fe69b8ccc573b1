"""What guards see: the nearest living friends and enemies, each as a row of 16 numbers."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.types import Observation
from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.distances import Distances
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.jamming import disturb
from marl_envs.adca.shapes import FEATURES
from marl_envs.adca.sight import ENEMIES_WITHIN, FRIENDS_WITHIN, nearest

#: The columns of a row.
THERE = 0
MOTION = slice(1, 6)
INDEX = 6
TERRAIN = 7
BITS = slice(8, FEATURES)


def observe(
    battle: Battle,
    distances: Distances,
    config: ADCAConfig,
) -> Observation:
    """What every guard sees before anybody acts.

    There is one row for each fighter, and one of zeros for nobody. The entities of a guard are
    first its friends, itself the first of them, then its enemies.

    A row holds: 1, x, y, heading, velocity along x, velocity along y, index of the fighter, factor
    of the ground, and the eight bits of the index, the lowest first.

    Args:
        battle: what is looked at.
        distances: of this battle.
        config: of the environment.
    """
    guards = config.agents
    fighters = guards + config.attackers
    shown = _shown(battle, distances, config)
    return Observation(
        entity_mask=shown < fighters,
        entity_rows=_rows(battle),
        entity_index=shown,
        alive=battle.alive[:, :guards],
    )


def _shown(
    battle: Battle,
    distances: Distances,
    config: ADCAConfig,
) -> Int[Tensor, "E N entities"]:
    """The index of the fighter in each row of each guard; the number of fighters for nobody."""
    guards = config.agents
    fighters = guards + config.attackers
    friends = nearest(distances.guards, FRIENDS_WITHIN, 0, fighters)
    enemies = nearest(distances.attackers_guards, ENEMIES_WITHIN, guards, fighters)
    seen = torch.cat([friends, enemies])
    if not config.shuffle_neighbours and config.jam_probability == 0:
        return seen.permute(2, 1, 0)
    draws = uniforms(
        battle.key,
        battle.clock,
        Purpose.SIGHT,
        4 * guards,
    )
    return disturb(
        seen,
        draws.unflatten(1, (2, 2, guards)),
        fighters,
        config,
    )


def _rows(battle: Battle) -> Float[Tensor, "E rows F"]:
    """A row for each fighter, and after them a row of zeros for nobody."""
    games, fighters = battle.alive.shape
    constant = _constant_features(fighters, battle.position.device)
    rows = constant.repeat(games, 1, 1)
    heading = battle.heading.unsqueeze(1)
    motion = torch.cat(
        [
            battle.position,
            heading,
            battle.velocity,
        ],
        dim=1,
    )
    rows[:, :fighters, MOTION] = motion.mT
    rows[:, :fighters, TERRAIN] = battle.terrain
    return rows


@cache
def _constant_features(
    fighters: int,
    device: torch.device,
) -> Float[Tensor, "rows F"]:
    """What never changes in the rows: that somebody is there, its index, and the bits of that."""
    rows = torch.zeros(fighters + 1, FEATURES, device=device)
    index = torch.arange(fighters, device=device)
    bit = torch.arange(BITS.stop - BITS.start, device=device)
    rows[:fighters, THERE] = 1.0
    rows[:fighters, INDEX] = index
    rows[:fighters, BITS] = (index.unsqueeze(-1) >> bit) & 1
    return rows
