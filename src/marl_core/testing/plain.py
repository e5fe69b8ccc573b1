"""The plainest parts there are, for trying others on: a softmax, and a host that learns nothing."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.types import Progress


@final
class PlainSoftmax:
    """An individual policy that is a softmax over any scores."""

    @property
    def accepts(self) -> frozenset[Scores]:
        """Logits and values."""
        return frozenset({"logits", "values"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of the softmax of the scores.

        Args:
            scores: a host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is; it makes no difference.
        """
        return log_softmax_policy(scores, legal)

    def entropy_coefficient(self, progress: Progress) -> float:
        """No entropy bonus.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return 0.0


#: How a team explores where a check does not care: each agent draws from a softmax, independently.
PLAIN = CoupledExploration(PlainSoftmax())
