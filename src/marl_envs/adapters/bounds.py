"""The bounds of actions that are numbers, without torch: processes that play import none."""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """Two bounds of each of D numbers: ``marl_core.types.Box`` for a process without torch.

    Attributes:
        low: the least value of each number.
        high: the greatest value of each number.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def unit(cls, numbers: int) -> Bounds:
        """All numbers in [-1, 1].

        Args:
            numbers: D.
        """
        return cls((-1.0,) * numbers, (1.0,) * numbers)

    @property
    def numbers(self) -> int:
        """D."""
        return len(self.low)
