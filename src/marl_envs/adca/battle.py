"""The state of battles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import TensorBatch


@dataclass(frozen=True)
class Battle(TensorBatch):
    """E battles of P fighters, guards first.

    Coordinates come before fighters, x and y each in one piece: operations on pairs are many times faster that way.
    ``terrain`` is the multiplier of a weapon's reach as last looked up, before the last move. The dead keep what they
    had. ``theta`` turns the battlefield; ``clock`` counts steps; ``key`` seeds all that chance decides.
    """

    alive: Bool[Tensor, "E P"]
    position: Float[Tensor, "E 2 P"]
    velocity: Float[Tensor, "E 2 P"]
    heading: Float[Tensor, "E P"]
    terrain: Float[Tensor, "E P"]
    theta: Float[Tensor, "E"]
    clock: Int[Tensor, "E"]
    key: Int[Tensor, "E"]

    def where_not(self, games: Bool[Tensor, "E"], other: Battle) -> Battle:
        """These battles, but the other's in the games of the mask."""
        mine, theirs = vars(self), vars(other)
        return Battle(
            **{
                name: torch.where(games.view(-1, *[1] * (value.dim() - 1)), theirs[name], value)
                for name, value in mine.items()
            }
        )


#: Squared distance of the dead from everybody. Finite, because the observation packs an index behind it.
FAR = 1e30


@dataclass(frozen=True)
class Distances:
    """Squared distances between the living, in single precision; ``FAR`` or more where one of the two is dead.

    Looked up by the observation and, in the next step, by weapons and by the script: nobody moves in between.
    ``nearest_guard`` is that of each attacker, ``nearest`` how far it is.
    """

    guards: Float[Tensor, "E N N"]
    attackers_guards: Float[Tensor, "E H N"]
    nearest_guard: Int[Tensor, "E H"]
    nearest: Float[Tensor, "E H"]


def measure(battle: Battle, guards: int) -> Distances:
    """All squared distances among the first ``guards`` fighters, and from the others to them."""
    x, y = battle.position.float().unbind(1)
    gone = torch.zeros_like(x).masked_fill_(~battle.alive, FAR)

    def squared(rows: slice, columns: slice) -> Tensor:
        distance = (x[:, rows, None] - x[:, None, columns]).square_()
        across = y[:, rows, None] - y[:, None, columns]
        distance.addcmul_(across, across)
        return distance.add_(gone[:, rows, None]).add_(gone[:, None, columns])

    team, hostile = slice(0, guards), slice(guards, None)
    attackers_guards = squared(hostile, team)
    # The bits of positive numbers are ordered as the numbers are, and integers are compared faster.
    nearest_guard = attackers_guards.view(torch.int32).argmin(2)
    nearest = attackers_guards.gather(2, nearest_guard.unsqueeze(-1)).squeeze(-1)
    return Distances(squared(team, team), attackers_guards, nearest_guard, nearest)
