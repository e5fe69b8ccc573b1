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
                name: torch.where(
                    games.view(-1, *[1] * (value.dim() - 1)), theirs[name], value
                )
                for name, value in mine.items()
            }
        )


#: Squared distance of the dead from everybody. Finite, because the observation packs an index behind it.
FAR = 1e30
_FAR_AWAY = FAR**0.5
#: Times the least excess of a squared distance over another, in single precision, it is more than any index.
_STEEP = 2.0**100


@dataclass(frozen=True)
class Distances:
    """Squared distances between the living, in single precision; about ``FAR`` or more where one of the two is dead.

    Looked up by the observation and, in the next step, by weapons and by the script: nobody moves in between. Battles
    come last, because operations on pairs are several times faster along long unbroken rows. ``nearest_guard`` is that
    of each attacker, the lowest of equals, and ``nearest`` how far it is.
    """

    guards: Float[Tensor, "N N E"]
    attackers_guards: Float[Tensor, "H N E"]
    nearest_guard: Int[Tensor, "E H"]
    nearest: Float[Tensor, "H E"]


def measure(battle: Battle, guards: int) -> Distances:
    """All squared distances among the first ``guards`` fighters, and from the others to them."""
    x, y = battle.position.permute(1, 2, 0).float().contiguous()
    dead = ~battle.alive.T
    # The dead stand far out, on one side as rows and on the other as columns, so that they are far from the dead too.
    rows, columns = (
        x.masked_fill(dead, _FAR_AWAY),
        x[:guards].masked_fill(dead[:guards], -_FAR_AWAY),
    )

    def squared(some: slice) -> Tensor:
        across = y[some].unsqueeze(1) - y[:guards]
        return (rows[some].unsqueeze(1) - columns).square_().addcmul_(across, across)

    hostile = squared(slice(guards, None))
    nearest = hostile.amin(1, keepdim=True)
    # argmin takes several times as long: indices, with a barrier before all but the nearest.
    index = torch.arange(guards, dtype=hostile.dtype, device=hostile.device).unsqueeze(
        -1
    )
    nearest_guard = (hostile - nearest).mul_(_STEEP).add_(index).amin(1)
    return Distances(
        squared(slice(0, guards)), hostile, nearest_guard.T.long(), nearest.squeeze(1)
    )
