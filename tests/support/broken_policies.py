"""Individual policies that each break one promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.types import EnvironmentSpec, Progress


class Sound:
    """A softmax; each mutant changes one thing."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.calls = 0

    @property
    def accepts(self) -> frozenset[Scores]:
        return frozenset({"logits"})

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal)

    def entropy_coefficient(self, progress: Progress) -> float:
        return 0.0


class HasNoBonus(Sound):
    entropy_coefficient: Any = None


class AcceptsNothing(Sound):
    @property
    def accepts(self) -> frozenset[Scores]:
        return frozenset()


class IgnoresMasks(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, None)


class MinusInfinity(Sound):
    """log 0 = -inf for illegal actions: 0 * -inf is NaN in the entropy."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        log_policy = log_softmax_policy(scores, legal)
        if legal is None:
            return log_policy
        return log_policy.masked_fill(~legal, -torch.inf)


class LogOfSoftmax(Sound):
    """The logarithm of probabilities that have underflowed."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        masked = scores if legal is None else scores.masked_fill(~legal, -1e9)
        return masked.softmax(-1).log()


class Detached(Sound):
    """Nothing can be learnt through it."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal).detach()


class HalfTheGradient(Sound):
    """The normalising constant is treated as if it did not depend on the scores."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        log_policy = log_softmax_policy(scores, legal)
        return log_policy - scores + scores.detach()


class NotNormalisedLog(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal) - 0.01


class NormalisesOverTheBatch(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores - scores.mean((0, 1), keepdim=True), legal)


class HiddenStep(Sound):
    """A temperature that falls at every call, as with a ``.step()`` that a loop must not forget."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        self.calls += 1
        return log_softmax_policy(scores / (1 + 1 / self.calls), legal)


class NoisyScores(Sound):
    """Draws noise from the global generator."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores + 0.1 * torch.randn_like(scores), legal)


class NoisyInNumPy(Sound):
    """Draws noise from NumPy's global generator."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        noise = np.random.normal(size=scores.shape)  # noqa: NPY002
        return log_softmax_policy(scores + torch.from_numpy(noise).to(scores), legal)


class NegativeBonus(Sound):
    def entropy_coefficient(self, progress: Progress) -> float:
        return -0.01


class MasksTheCallersScores(Sound):
    """Writes the mask into the host's scores."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        masked = scores if legal is None else scores.masked_fill_(~legal, -1e9)
        return log_softmax_policy(masked, legal)


class MendsTheCallersMask(Sound):
    """Lets everybody take the first action, in the tensor that it was given."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        log_policy = log_softmax_policy(scores, legal)
        if legal is not None:
            legal[..., 0] = True
        return log_policy


class StaysInLowPrecision(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        masked = scores if legal is None else scores.masked_fill(~legal, -1e9)
        return masked.log_softmax(-1)


class UniformInLowPrecision(Sound):
    """Mixes with a uniform policy in the scores' own precision."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        own = log_softmax_policy(scores, legal)
        return own.to(scores.dtype).float()


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Sound], str] = {
    HasNoBonus: "policy_has_every_member",
    AcceptsNothing: "policy_has_every_member",
    IgnoresMasks: "illegal_actions_are_never_taken",
    MinusInfinity: "individual_policy_is_a_distribution",
    LogOfSoftmax: "individual_policy_is_a_distribution",
    Detached: "log_policy_is_differentiable",
    HalfTheGradient: "log_policy_is_differentiable",
    NotNormalisedLog: "individual_policy_is_a_distribution",
    NormalisesOverTheBatch: "games_do_not_influence_each_other",
    HiddenStep: "schedules_depend_on_progress_alone",
    NoisyInNumPy: "policy_leaves_global_randomness_alone",
    NoisyScores: "policy_leaves_global_randomness_alone",
    MasksTheCallersScores: "scores_are_only_read",
    MendsTheCallersMask: "scores_are_only_read",
    StaysInLowPrecision: "low_precision_scores_are_enough",
    UniformInLowPrecision: "low_precision_scores_are_enough",
    NegativeBonus: "entropy_coefficient_is_a_number",
}
