"""Boxes of actions: one box for a team whose agents may have others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from gymnasium import spaces

from marl_core.errors import UserError
from marl_envs.adapters.bounds import Bounds


@final
@dataclass(frozen=True)
class Reach:
    """The numbers that an agent may choose.

    Args:
        space: of its actions.
    """

    space: spaces.Box

    @classmethod
    def of(cls, space: spaces.Box, agent: str) -> Reach:
        """The actions of an agent.

        Args:
            space: as the environment gives it.
            agent: whose it is, for messages.

        Raises:
            UserError: there is none, or a number has no bounds.
        """
        low, high = (np.asarray(end, np.float64) for end in (space.low, space.high))
        bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
        if space.shape and low.size and bool(bounded.all()):
            return cls(space)
        message = "numbers without two finite bounds cannot be learnt here"
        raise UserError(f"{agent} acts in {space}: {message}")

    @property
    def numbers(self) -> int:
        """How many there are."""
        return int(np.prod(self.space.shape))

    @property
    def box(self) -> Bounds:
        """The bounds, with the space's axes as one."""
        low, high = (
            self.space.low.ravel(),
            self.space.high.ravel(),
        )
        return Bounds(
            tuple(map(float, low)),
            tuple(map(float, high)),
        )

    def action(self, numbers: np.ndarray, of_team: Bounds) -> Any:
        """An action as the environment takes it.

        Args:
            numbers: in the team's box; those beyond the agent's own count are left over.
            of_team: the box of all agents. Where it is not the agent's own, it is stretched to
                that.
        """
        low, high = (
            self.space.low.ravel(),
            self.space.high.ravel(),
        )
        own = numbers[: self.numbers]
        if of_team != self.box:
            own = low + (own + 1) / 2 * (high - low)
        # Rounding may take it out of the space by little.
        inside = np.clip(own, low, high).reshape(self.space.shape)
        return inside.astype(self.space.dtype)


def box_of_team(reaches: Sequence[Reach]) -> Bounds:
    """The box of a team: its agents' own, where it is the same for all of them.

    Otherwise it is [-1, 1] in as many numbers as the greatest has.

    Args:
        reaches: what each agent may choose.
    """
    boxes = {reach.box for reach in reaches}
    if len(boxes) == 1:
        return boxes.pop()
    return Bounds.unit(max(reach.numbers for reach in reaches))
