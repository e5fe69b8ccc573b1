"""The order of a step, and how a battle is decided."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.distances import Distances
from marl_envs.adca.opponent import Orders
from marl_envs.adca.physics import action_forces, ground, move, wrap
from marl_envs.adca.weapon import Fire, fire


class Verdict(NamedTuple):
    """What a step decides.

    Attributes:
        reward: what each guard earns in the step.
        over: whether the battle has ended.
        won: whether it has ended with a win of the guards.
    """

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
    """Play one step.

    Attackers turn as they are ordered and then fire; guards fire and then turn. Those who are
    killed neither move nor turn in this step, and the dead do nothing.

    Args:
        battle: before the step.
        actions: of the guards.
        orders: of the attackers.
        distances: of the battle before the step.
        terrain: whether the ground changes how far weapons reach.

    Returns:
        The battle after the step, with the clock as it was, and the shots that fell.
    """
    firing = _take_aim(battle, orders, terrain=terrain)
    shots = fire(firing, distances)
    survivors = battle.alive & ~shots.was_hit
    thrust, turn = action_forces(actions, battle.position.dtype)
    force = torch.cat([thrust, orders.acceleration], dim=2)
    position, velocity = move(
        battle.position,
        battle.velocity,
        force,
        survivors,
    )
    guards = actions.shape[1]
    ours, theirs = firing.heading.tensor_split([guards], dim=1)
    turned = wrap(torch.cat([ours + turn, theirs], dim=1))
    after = replace(
        firing,
        alive=survivors,
        position=position,
        velocity=velocity,
        heading=torch.where(survivors, turned, firing.heading),
    )
    return after, shots


def _take_aim(
    battle: Battle,
    orders: Orders,
    *,
    terrain: bool,
) -> Battle:
    """The battle as it is when shots fall: attackers point where they are ordered to.

    The ground under the living is looked up too.
    """
    attackers = orders.heading.shape[1]
    guards = battle.alive.shape[1] - attackers
    ours, theirs = battle.heading.tensor_split([guards], dim=1)
    aimed = torch.where(
        battle.alive[:, guards:],
        orders.heading,
        theirs,
    )
    heading = torch.cat([ours, aimed], dim=1)
    if not terrain:
        return replace(battle, heading=heading)
    under_feet = ground(battle.position, battle.theta)
    multiplier = torch.where(battle.alive, under_feet, battle.terrain)
    return replace(battle, heading=heading, terrain=multiplier)


def verdict(
    battle: Battle,
    shots: Fire,
    config: ADCAConfig,
) -> Verdict:
    """Rewards and ends after a step.

    A guard earns 1 for hitting anybody and loses 0.5 (or 1) for being hit. When the team wins, all
    guards earn the bonus, the dead too.

    The guards win when no attacker lives, even if no guard does. They lose when no guard lives.
    When the time is up, they win if the share of guards that live is at least that of the
    attackers.

    Args:
        battle: after the step, with the clock as it was before.
        shots: those of the step.
        config: of the environment.
    """
    guards = config.agents
    attackers = config.attackers
    left, hostile = battle.alive.split([guards, attackers], dim=1)
    ours = left.sum(1)
    theirs = hostile.sum(1)
    no_guard = ours == 0
    no_attacker = theirs == 0
    late = battle.clock >= config.max_steps - 1
    # Shares of the living, compared without a division.
    ahead = theirs * guards <= ours * attackers
    over = no_attacker | no_guard | late
    won = no_attacker | (~no_guard & late & ahead)
    earned = _earned(shots, config)
    bonus = config.win_bonus * won.unsqueeze(-1)
    return Verdict(earned + bonus, over, won)


def _earned(
    shots: Fire,
    config: ADCAConfig,
) -> Float[Tensor, "E N"]:
    """What each guard earns in a step by shooting and by being shot."""
    guards = config.agents
    loss = 0.5 if config.half_death_reward else 1.0
    hit = shots.hit[:, :guards].float()
    was_hit = shots.was_hit[:, :guards]
    return hit - loss * was_hit.float()
