"""Entropy-regularised sampling: the exploration of policy-gradient algorithms (Eq. 1)."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from marl_core.base_config import LARGEST, PolicyConfig
from marl_core.capabilities import Scores
from marl_core.configured import Configured
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.types import Progress


class EntropySamplingConfig(PolicyConfig):
    """Settings of entropy-regularised sampling."""

    name: str = "entropy_sampling"
    coefficient: float = Field(
        default=0.05,
        ge=0,
        le=LARGEST,
        description="c_H of Eq. 1 (Table 3: 0.05 for PPO-MA).",
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=LARGEST,
        description="Boltzmann temperature: pi = softmax(scores / temperature).",
    )


@final
class EntropySampling(Configured[EntropySamplingConfig]):
    """Every agent samples its own softmax policy; an entropy bonus keeps it from becoming
    deterministic.
    """

    @property
    def accepts(self) -> frozenset[Scores]:
        """Logits: over action values a softmax would need a temperature that fits their scale."""
        return frozenset({"logits"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """Softmax of the logits over the legal actions.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is; it makes no difference.
        """
        return log_softmax_policy(scores, legal, self.config.temperature)

    def entropy_coefficient(self, progress: Progress) -> float:
        """c_H of Eq. 1, constant.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return self.config.coefficient
