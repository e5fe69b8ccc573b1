"""The state of battles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import TensorBatch


@dataclass(frozen=True)
class Battle(TensorBatch):
    """E battles of P fighters; the guards come first.

    The axis of coordinates comes before the axis of fighters, so that all x and all y lie together
    in memory: operations on pairs of fighters are many times faster this way.

    Attributes:
        alive: whether each fighter lives. The dead keep the rest of their state.
        position: x and y.
        velocity: along x and y, per unit of time.
        heading: where the weapon points, in radians.
        terrain: the factor by which the ground changes the reach of the weapon, as it was last
            looked up, before the last move.
        theta: by how much the battlefield is turned, in radians.
        clock: steps since the battle began.
        key: seeds everything that chance decides in the battle.
    """

    alive: Bool[Tensor, "E P"]
    position: Float[Tensor, "E 2 P"]
    velocity: Float[Tensor, "E 2 P"]
    heading: Float[Tensor, "E P"]
    terrain: Float[Tensor, "E P"]
    theta: Float[Tensor, "E"]
    clock: Int[Tensor, "E"]
    key: Int[Tensor, "E"]

    def where_not(
        self,
        games: Bool[Tensor, "E"],
        other: Battle,
    ) -> Battle:
        """These battles, with some of them replaced.

        Args:
            games: which battles are replaced.
            other: where the replacements come from.
        """
        chosen: dict[str, Tensor] = {}
        theirs = vars(other)
        for name, ours in vars(self).items():
            other_axes = [1] * (ours.dim() - 1)
            replaced = games.view(-1, *other_axes)
            chosen[name] = torch.where(
                replaced,
                theirs[name],
                ours,
            )
        return Battle(**chosen)
