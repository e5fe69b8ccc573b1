"""What PPO's hosts share in front of their losses: advantages on a common scale, and the rewards of the dead."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.learning import Ranks


@dataclass(frozen=True)
class Standard:
    """Over the samples of all ranks: how many a rank has on average, and mean and 1/deviation of their advantages."""

    count: Float[Tensor, ""]
    mean: Float[Tensor, ""]
    scale: Float[Tensor, ""]

    def of(self, advantages: Tensor) -> Tensor:
        """Advantages with mean 0 and variance 1 over the samples."""
        return (advantages - self.mean) * self.scale


def standard_of(advantages: Tensor, acting: Tensor, ranks: Ranks) -> Standard:
    """The scale of the advantages where ``acting``, of the same shape, is 1; elsewhere it is 0."""
    masked = advantages * acting
    sums = torch.stack(
        [acting.sum(), masked.sum(), (masked * advantages).sum()]
    ).double()
    count, total, squares = ranks.mean(sums).unbind()
    mean = total / count
    deviation = (squares / count - mean**2).clamp(min=0).sqrt()
    count, mean, scale = (
        x.to(advantages.dtype) for x in (count, mean, 1 / (deviation + 1e-8))
    )
    return Standard(count, mean, scale)


def rewards_of_the_living(
    reward: Float[Tensor, "T E N"],
    acting: Bool[Tensor, "T E N"],
    valid: Bool[Tensor, "T E"],
    factor: float,
) -> Float[Tensor, "T E N"]:
    """Rewards in which what an agent earns when dead has been moved back to the last step in which it acted.

    By ``factor`` for each step: who dies k steps before a victory gets ``factor ** k`` of its bonus. What comes behind
    the end of a game, and what is earned by who never acted, is left out.
    """
    moved, carried = torch.empty_like(reward), torch.zeros_like(reward[0])
    for t in range(reward.shape[0] - 1, -1, -1):
        earned = torch.where(valid[t].unsqueeze(-1), reward[t] + factor * carried, 0.0)
        moved[t] = torch.where(acting[t], earned, 0.0)
        carried = torch.where(acting[t], 0.0, earned)
    return moved
