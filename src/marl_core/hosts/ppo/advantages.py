"""What PPO's hosts compute before their losses: normalised advantages, rewards of the dead."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
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


def rewards_of_the_living(
    reward: Float[Tensor, "T E N"],
    acting: Bool[Tensor, "T E N"],
    valid: Bool[Tensor, "T E"],
    factor: float,
) -> Float[Tensor, "T E N"]:
    """Rewards in which what a dead agent earns is moved back to the last step in which it acted.

    The reward is multiplied by ``factor`` for each step. So an agent that dies k steps before a
    victory gets ``factor ** k`` of its bonus. Rewards after the end of a game are left out, and so
    are the rewards of an agent that never acted.

    Args:
        reward: each agent's own.
        acting: which samples are of a living agent in a game that is on.
        valid: which games were on.
        factor: from 0 to 1.
    """
    moved = torch.empty_like(reward)
    carried = torch.zeros_like(reward[0])
    for t in range(
        reward.shape[0] - 1,
        -1,
        -1,
    ):
        earned = torch.where(
            valid[t].unsqueeze(-1),
            reward[t] + factor * carried,
            0.0,
        )
        moved[t] = torch.where(acting[t], earned, 0.0)
        carried = torch.where(acting[t], 0.0, earned)
    return moved
