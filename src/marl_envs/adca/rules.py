"""The order of a step, and how a battle is decided."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle, Distances
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.opponent import Orders
from marl_envs.adca.physics import action_forces, ground, move, wrap
from marl_envs.adca.weapon import Fire, fire


class Verdict(NamedTuple):
    """What the guards earn in a step, which battles are over after it, and which of those the guards have won."""

    reward: Float[Tensor, "E N"]
    over: Bool[Tensor, "E"]
    won: Bool[Tensor, "E"]


def advance(
    battle: Battle,
    actions: Int[Tensor, "E N"],
    orders: Orders,
    distances: Distances,
    *,
    terrain: bool,
) -> tuple[Battle, Fire]:
    """The battle after a step, the clock aside, and the shots that fell in it.

    Attackers fire in the direction of their new orders; guards fire before they turn. Whoever is killed neither moves
    nor turns in this step, and the dead do nothing.

    Args:
        distances: of this battle.
        terrain: whether the ground matters.
    """
    guards, alive = actions.shape[1], battle.alive
    aimed = torch.where(alive[:, guards:], orders.heading, battle.heading[:, guards:])
    multiplier = torch.where(
        alive, ground(battle.position, battle.theta), battle.terrain
    )
    firing = replace(
        battle,
        heading=torch.cat([battle.heading[:, :guards], aimed], dim=1),
        terrain=multiplier if terrain else battle.terrain,
    )
    shots = fire(firing, distances)
    survivors = alive & ~shots.was_hit
    thrust, turn = action_forces(actions, battle.position.dtype)
    force = torch.cat([thrust, orders.acceleration], dim=2)
    position, velocity = move(battle.position, battle.velocity, force, survivors)
    turned = wrap(torch.cat([firing.heading[:, :guards] + turn, aimed], dim=1))
    after = replace(
        firing,
        alive=survivors,
        position=position,
        velocity=velocity,
        heading=torch.where(survivors, turned, firing.heading),
    )
    return after, shots


def verdict(battle: Battle, shots: Fire, config: ADCAConfig) -> Verdict:
    """Rewards and ends after a step, with the clock still at that step.

    A guard earns 1 for hitting anybody and loses 0.5 (or 1) for being hit; all of them, the dead too, earn the bonus
    of a win. The guards win when no attacker lives, even if no guard does; they lose when none of them lives; when
    time is up, they win if at least as large a share of them lives as of the attackers.
    """
    guards, attackers = config.agents, config.attackers
    left, hostile = battle.alive.split([guards, attackers], dim=1)
    ours, theirs = left.sum(1), hostile.sum(1)
    late = battle.clock >= config.max_steps - 1
    ahead = theirs * guards <= ours * attackers
    over = (theirs == 0) | (ours == 0) | late
    won = (theirs == 0) | ((ours > 0) & late & ahead)
    loss = 0.5 if config.half_death_reward else 1.0
    earned = shots.hit[:, :guards].float() - loss * shots.was_hit[:, :guards].float()
    return Verdict(earned + config.win_bonus * won.unsqueeze(-1), over, won)
