"""Individual policies that see whether the host's scores are finite."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.abilities import StatesDensities
from marl_core.capabilities import Scores
from marl_core.densities.agents import Densities
from marl_core.errors import UserError
from marl_core.protocols import IndividualPolicy
from marl_core.types import Progress


class _Checked:
    """What both kinds of policies have in common. Base.

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
        self._look_at(scores)
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

    def _look_at(self, scores: Tensor) -> None:
        finite = scores.isfinite().all()
        self._finite = finite if self._finite is None else self._finite & finite


@final
class CheckedPolicy(_Checked):
    """A policy of discrete actions, and whether all scores that it was given are finite.

    A policy of NaN looks like a policy: an argmax over NaN always picks the same action.
    """


@final
class CheckedDensities(_Checked):
    """The same of a policy over numbers in a box.

    Args:
        policy: turns scores into densities.
    """

    def __init__(self, policy: IndividualPolicy) -> None:
        super().__init__(policy)
        assert isinstance(policy, StatesDensities)
        self._states = policy

    def densities(
        self,
        scores: Float[Tensor, "*B N S"],
        progress: Progress,
    ) -> Densities:
        """What the policy says.

        Args:
            scores: the host's.
            progress: how far the run is.
        """
        self._look_at(scores)
        return self._states.densities(scores, progress)


def checked(
    policy: IndividualPolicy,
) -> CheckedPolicy | CheckedDensities:
    """A policy of the same kind that sees whether scores are finite.

    Args:
        policy: of discrete actions, or over numbers in a box.
    """
    if isinstance(policy, StatesDensities):
        return CheckedDensities(policy)
    return CheckedPolicy(policy)
