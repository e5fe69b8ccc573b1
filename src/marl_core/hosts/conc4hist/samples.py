"""What an update of Conc4Hist learns from."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.hosts.conc4hist.acting_samples import ActingSamples
from marl_core.protocols import IndividualPolicy
from marl_core.types import Observation, Progress, Rollout, TensorBatch


@dataclass(frozen=True)
class Samples(TensorBatch):
    """What all epochs of an update share, in the places of ``ActingSamples``.

    Attributes:
        action: what the agents did.
        weight: the share of each sample in its minibatch; 0 in a place without a sample.
        advantage: normalised.
        value_target: what the value should be.
        old_log_policy: the logarithm of the probability of what was done, before the update.
        legal: which actions were legal; None: all of them.
        trunk: the input of the policy head, where what gives it is frozen; else None.
    """

    action: Int[Tensor, "R N"]
    weight: Float[Tensor, "R N"]
    advantage: Float[Tensor, "R N"]
    value_target: Float[Tensor, "R N"]
    old_log_policy: Float[Tensor, "R N"]
    legal: Bool[Tensor, "R N A"] | None
    trunk: Float[Tensor, "R N W"] | None


@dataclass(frozen=True)
class Evaluated(TensorBatch):
    """What the networks say of samples before the first epoch.

    Attributes:
        value: the critic's.
        log_policy: the logarithm of the probability of what was done.
        trunk: the input of the policy head, where what gives it is frozen; else None.
    """

    value: Float[Tensor, "R N"]
    log_policy: Float[Tensor, "R N"]
    trunk: Float[Tensor, "R N W"] | None


@dataclass(frozen=True)
class PolicyNow:
    """The team's individual policy, at one time of the run.

    Attributes:
        policy: the individual policy.
        progress: how far the run is.
    """

    policy: IndividualPolicy
    progress: Progress

    @property
    def entropy_coefficient(self) -> float:
        """c_H of Eq. 1."""
        return self.policy.entropy_coefficient(self.progress)

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of each agent's own policy.

        Args:
            scores: the host's.
            legal: which actions are legal; None: all of them.
        """
        return self.policy.log_policy(scores, legal, self.progress)


def legal_actions(
    rollout: Rollout, places: ActingSamples
) -> Bool[Tensor, "R N A"] | None:
    """Which actions were legal in the samples; their agents are alive.

    Args:
        rollout: whole episodes.
        places: which samples.
    """
    mask = rollout.observations.action_mask
    if mask is None:
        return None
    return Observation(action_mask=places.take(mask)).legal_actions()
