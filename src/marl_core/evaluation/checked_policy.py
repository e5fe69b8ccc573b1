"""An individual policy that sees whether the host's scores are finite."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.errors import UserError
from marl_core.protocols import IndividualPolicy
from marl_core.types import Progress


@final
class CheckedPolicy:
    """Any individual policy, and whether all scores that it was given are finite.

    A policy of NaN looks like a policy: an argmax over NaN always picks the same action.

    Args:
        policy: turns scores into frequencies.
    """

    def __init__(self, policy: IndividualPolicy) -> None:
        self._policy = policy
        self._finite: Bool[Tensor, ""] | None = None

    @property
    def accepts(self) -> frozenset[Scores]:
        """What the policy accepts."""
        return self._policy.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """What the policy says.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is.
        """
        finite = scores.isfinite().all()
        self._finite = finite if self._finite is None else self._finite & finite
        return self._policy.log_policy(scores, legal, progress)

    def entropy_coefficient(self, progress: Progress) -> float:
        """What the policy says.

        Args:
            progress: how far the run is.
        """
        return self._policy.entropy_coefficient(progress)

    def check(self) -> None:
        """See whether all scores were finite. The CPU waits for the device here alone.

        Raises:
            UserError: one was not.
        """
        if self._finite is not None and not bool(self._finite):
            message = "the host's scores are not finite: there is nothing to evaluate"
            raise UserError(message)
