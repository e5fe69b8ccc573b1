"""An individual policy: a softmax that never forgets an action."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from marl_core.base_config import PolicyConfig
from marl_core.capabilities import Scores
from marl_core.configured import Configured
from marl_core.exploration.softmax import ILLEGAL, log_softmax_policy
from marl_core.types import Progress


class MixedSoftmaxConfig(PolicyConfig):
    """Settings of the policy."""

    name: str = "mixed_softmax"
    share: float = Field(
        default=0.05, gt=0, lt=1, description="Of all legal actions alike."
    )
    coefficient: float = Field(
        default=0.02, ge=0, le=100, description="What a nat of entropy is worth."
    )


class MixedSoftmax(Configured[MixedSoftmaxConfig]):
    """``(1 - share) softmax(logits) + share / (number of legal actions)``."""

    @property
    def accepts(self) -> frozenset[Scores]:
        """Logits."""
        return frozenset({"logits"})

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        """In logarithms, so that nothing is lost of small probabilities."""
        softmax = log_softmax_policy(scores, legal)
        possible = torch.ones_like(scores, dtype=torch.bool) if legal is None else legal
        count = possible.sum(-1, keepdim=True).to(softmax.dtype)
        alike = (math.log(self.config.share) - count.log()).expand_as(softmax)
        mixed = torch.logaddexp(softmax + math.log1p(-self.config.share), alike)
        return torch.where(possible, mixed, ILLEGAL)

    def entropy_coefficient(self, progress: Progress) -> float:
        """Constant."""
        return self.config.coefficient
