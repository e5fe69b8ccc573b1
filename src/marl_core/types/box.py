"""Actions that are numbers in a box, in place of one of a few."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True)
class Box:
    """D numbers, each between two bounds; the same box for every agent.

    Attributes:
        low: the least value of each number.
        high: the greatest value of each number.

    Raises:
        ValueError: there are no numbers, bounds differ in how many there are, or are not finite and
            in order.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.low or len(self.low) != len(self.high):
            found = f"{len(self.low)} and {len(self.high)}"
            raise ValueError(f"a box has as many low as high bounds, not {found}")
        for low, high in zip(self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"a number of a box lies between {low} and {high}")

    @classmethod
    def unit(cls, numbers: int) -> Box:
        """All numbers in [-1, 1].

        Args:
            numbers: D.
        """
        return cls((-1.0,) * numbers, (1.0,) * numbers)

    @property
    def numbers(self) -> int:
        """D, how many numbers an action has."""
        return len(self.low)

    def bounds(self, like: Tensor) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
        """The bounds as tensors.

        Args:
            like: says of which type, and where.
        """
        return like.new_tensor(self.low), like.new_tensor(self.high)

    def clipped(self, actions: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """The nearest actions that lie in the box.

        Args:
            actions: any numbers.
        """
        low, high = self.bounds(actions)
        return actions.clamp(low, high)
