"""The processes that train together."""

from __future__ import annotations

from typing import final

from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor


@final
class StrategyRanks:
    """The processes of a Lightning strategy."""

    def __init__(self, strategy: Strategy, count: int) -> None:
        self._strategy, self._count = strategy, count

    @property
    def count(self) -> int:
        """The strategy's world size."""
        return self._count

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the processes; ``value`` itself is left alone.

        Args:
            value: this process's, of any shape.
        """
        reduced = self._strategy.reduce(value.detach().clone(), reduce_op="mean")
        assert isinstance(reduced, Tensor)
        return reduced


def rank() -> int:
    """The rank of this process, also before Lightning has set anything up."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)
