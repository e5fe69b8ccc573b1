"""Epsilon-greedy: the exploration of value-based algorithms (Section 2.1, Appendix A.4)."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.configured import Configured
from marl_core.exploration.schedule import AnnealedConfig
from marl_core.exploration.softmax import ILLEGAL, at_least_single
from marl_core.types import Progress


class EpsilonGreedyConfig(AnnealedConfig):
    """Settings of epsilon-greedy (Table 3)."""

    name: str = "epsilon_greedy"
    start: float = Field(
        default=1.0, ge=0, le=1, description="epsilon at the beginning of the run."
    )
    end: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="epsilon after `anneal_steps` and from there on.",
    )


@final
class EpsilonGreedy(Configured[EpsilonGreedyConfig]):
    """Every agent takes its best action, but with probability epsilon any legal one, each equally
    likely.

    So of n legal actions the best has probability 1 - epsilon + epsilon/n, as in Eq. 20. Of equally
    good ones it is the one with the lowest number.
    """

    @property
    def accepts(self) -> frozenset[Scores]:
        """Action values; logits could not be learnt by its policy, which has no gradient."""
        return frozenset({"values"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """Piecewise constant in the scores: its gradient is 0. In at least single precision.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is; it decides epsilon.
        """
        epsilon = self.config.at(progress)
        scores = at_least_single(scores)
        ordered = scores if legal is None else scores.masked_fill(~legal, -torch.inf)
        best = torch.zeros_like(ordered, dtype=torch.bool).scatter_(
            -1, ordered.argmax(-1, keepdim=True), True
        )
        count = scores.shape[-1] if legal is None else legal.sum(-1, keepdim=True)
        other = torch.full_like(ordered, epsilon) / count
        policy = torch.where(best, 1 - epsilon + other, other)
        logarithm = policy.log().clamp(min=ILLEGAL)
        return logarithm if legal is None else logarithm.masked_fill(~legal, ILLEGAL)

    def entropy_coefficient(self, progress: Progress) -> float:
        """No entropy bonus.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return 0.0
