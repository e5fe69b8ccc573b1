"""The scale in which values are learnt."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.learning import Ranks

#: Returns vary at least so much, so that a constant one is no division by zero.
_LEAST_VARIANCE = 1e-8


@final
class ValueScale(nn.Module):
    """Mean and variance of all returns so far, by which values are normalised.

    Args:
        enabled: else values are learnt as they are.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, *, enabled: bool) -> None:
        super().__init__()
        self._enabled = enabled
        for name in ("count", "mean", "squares"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(
        self,
        returns: Float[Tensor, "*B"],
        weights: Float[Tensor, "*B"],
        ranks: Ranks,
    ) -> None:
        """Add the returns of all ranks.

        Args:
            returns: this rank's, as they are.
            weights: 1 where a return counts, else 0.
            ranks: the processes that learn together.
        """
        if not self._enabled:
            return
        weights = weights.double()
        counted = returns.double() * weights
        sums = torch.stack(
            [weights.sum(), counted.sum(), (counted * returns.double()).sum()]
        )
        new, total, squares = (ranks.mean(sums) * ranks.count).unbind()
        count = self.count + new
        share = new / count.clamp(min=1)
        self.mean += share * (total / new.clamp(min=1) - self.mean)
        self.squares += share * (squares / new.clamp(min=1) - self.squares)
        self.count.copy_(count)

    def normalised(self, returns: Tensor) -> Tensor:
        """Returns in the scale in which they are learnt.

        Args:
            returns: as they are.
        """
        if not self._enabled:
            return returns
        return (returns - self.mean.to(returns.dtype)) / self._deviation(returns)

    def restored(self, values: Tensor) -> Tensor:
        """Values as they are.

        Args:
            values: in the scale in which they are learnt.
        """
        if not self._enabled:
            return values
        return values * self._deviation(values) + self.mean.to(values.dtype)

    def _deviation(self, like: Tensor) -> Tensor:
        """The standard deviation; 1 as long as nothing is known."""
        variance = (self.squares - self.mean**2).clamp(min=_LEAST_VARIANCE)
        known = torch.where(self.count > 0, variance, torch.ones_like(variance))
        return known.sqrt().to(like.dtype)
