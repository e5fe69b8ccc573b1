"""What PPO's hosts compute before their losses: normalised advantages."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.learning import Ranks


@dataclass(frozen=True)
class AdvantageStatistics:
    """What normalises advantages, over the samples of all ranks.

    Attributes:
        count: how many samples a rank has, on average.
        mean: of their advantages.
        scale: 1 over the standard deviation of their advantages.
    """

    count: Float[Tensor, ""]
    mean: Float[Tensor, ""]
    scale: Float[Tensor, ""]

    @classmethod
    def over_ranks(
        cls,
        advantages: Float[Tensor, "*B"],
        acting: Float[Tensor, "*B"],
        ranks: Ranks,
    ) -> AdvantageStatistics:
        """The statistics of advantages.

        Args:
            advantages: this rank's.
            acting: 1 for the samples that count, 0 for all others.
            ranks: the processes that learn together.
        """
        masked = advantages * acting
        sums = torch.stack([acting.sum(), masked.sum(), (masked * advantages).sum()])
        count, total, squares = ranks.mean(sums.double()).unbind()
        mean = total / count
        deviation = (squares / count - mean**2).clamp(min=0).sqrt()
        scale = 1 / (deviation + 1e-8)
        dtype = advantages.dtype
        return cls(
            count.to(dtype),
            mean.to(dtype),
            scale.to(dtype),
        )

    def normalise(self, advantages: Tensor) -> Tensor:
        """Advantages with mean 0 and variance 1 over the samples that count.

        Args:
            advantages: of any shape.
        """
        return (advantages - self.mean) * self.scale
