"""The processes that train together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from marl_core.errors import UserError


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


def check_ranks(
    count: int,
    asked: int,
    saved: Mapping[str, Any] | None,
) -> None:
    """Refuse to train in another number of processes than the config or the checkpoint says.

    Args:
        count: how many processes there are.
        asked: how many the config asks for.
        saved: the checkpoint from which the run goes on, if it does.

    Raises:
        UserError: the numbers differ.
    """
    message = ""
    if count != asked:
        message = (
            f"{asked} processes were asked for, and there are {count}: "
            "a launcher's variables (RANK, WORLD_SIZE, SLURM_...) may say otherwise"
        )
    elif saved is not None and len(saved["marl"]["ranks"]) != count:
        before = len(saved["marl"]["ranks"])
        message = f"the checkpoint is of {before} processes, and there are {count}"
    if message:
        raise UserError(message, "training", "devices")


def rank() -> int:
    """The rank of this process, also before Lightning has set anything up."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)
