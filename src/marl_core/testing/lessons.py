"""What a host learns from a rollout: the gradients of its losses, held against each other.

The weights are moved away from where they begin: a last layer of small weights hides what it gets.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.protocols import HostAlgorithm, IndividualPolicy
from marl_core.testing.checking import close
from marl_core.testing.gradients import gradients_of, trainable
from marl_core.testing.learning import HostCase, rollouts
from marl_core.types import Memory, Progress, Rollout

#: Gradients by the names of parameters, for each loss.
Lessons = list[dict[str, Tensor | None]]
#: How many losses of a rollout are looked at: in the first, PPO's ratio is 1.
_LOSSES = 3
#: How far the parameters go down a loss, by their norm.
_STEP = 0.03
#: How far gradients may be off, by the largest of the parameter.
_TOLERANCE = 2e-4


@final
@dataclass(frozen=True)
class WithBonus:
    """An individual policy with another weight of its entropy.

    Attributes:
        individual: the policy.
        bonus: the weight.
    """

    individual: IndividualPolicy
    bonus: float = 0.1

    @property
    def accepts(self) -> frozenset[Scores]:
        """What the policy accepts."""
        return self.individual.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """What the policy says.

        Args:
            scores: a host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is.
        """
        return self.individual.log_policy(scores, legal, progress)

    def entropy_coefficient(self, progress: Progress) -> float:
        """The other weight.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return self.bonus


def moved_host(case: HostCase, seed: int = 0) -> HostAlgorithm:
    """A host whose trained parameters are far from where they begin.

    Args:
        case: the host.
        seed: of its own generator; the parameters are the same for each.
    """
    host = case.build(seed)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in trainable(host).values():
            widest = max((1, *parameter.shape[-2:]))
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise.to(parameter) * 1.5 / widest**0.5)
    return host


def played(case: HostCase) -> Iterator[Rollout]:
    """Rollouts that such a host has played.

    Args:
        case: the host, and what it plays.
    """
    return rollouts(case.environment, moved_host(case), case.exploration)


def first_with_lessons(case: HostCase) -> Rollout:
    """The first rollout that brings a loss.

    Args:
        case: the host, and what it plays.

    Raises:
        AssertionError: none does.
    """
    for rollout in played(case):
        if lessons(case, rollout):
            return rollout
    raise AssertionError("the rollouts brought no loss")


def lessons(
    case: HostCase, rollout: Rollout, host: HostAlgorithm | None = None
) -> Lessons:
    """The gradients of the first losses, each taken after a step down the one before.

    Args:
        case: the host, and its team's individual policy.
        rollout: what is learnt from.
        host: which learns; by default a fresh one with moved parameters.
    """
    learner = moved_host(case) if host is None else host
    policy = WithBonus(case.exploration.individual)
    found = []
    own = copy.deepcopy(rollout)  # a learner that writes into it spoils its own alone
    losses = learner.losses(own, policy, LearningContext())
    for loss in islice(losses, _LOSSES):
        gradients = gradients_of(learner, loss)
        found.append(gradients)
        step_down(learner, gradients)
    return found


def step_down(
    host: HostAlgorithm, gradients: dict[str, Tensor | None], length: float = _STEP
) -> None:
    """Take a step of a given length against gradients.

    Args:
        host: whose parameters are changed.
        gradients: by the names of parameters.
        length: the norm of the step.
    """
    there = [one for one in gradients.values() if one is not None]
    norm = float(torch.stack([one.norm() for one in there]).norm()) if there else 0.0
    with torch.no_grad():
        for name, parameter in trainable(host).items():
            gradient = gradients[name]
            if gradient is not None and norm > 0:
                parameter.sub_(gradient, alpha=length / norm)


def same_lessons(one: Lessons, other: Lessons) -> bool:
    """Whether gradients are the same, but for rounding.

    Args:
        one: of some losses.
        other: of some losses.
    """
    if len(one) != len(other):
        return False
    return all(
        _same_gradient(gradient, theirs[name])
        for mine, theirs in zip(one, other, strict=True)
        for name, gradient in mine.items()
    )


def _same_gradient(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        rest = other if one is None else one
        return rest is None or not rest.any()
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-6)
    return close(one / scale, other / scale, _TOLERANCE)


@torch.no_grad()
def log_policies_of_play(
    case: HostCase, host: HostAlgorithm, rollout: Rollout
) -> Float[Tensor, "T E N A"]:
    """The individual policies by which the episodes of a rollout are played, step by step.

    Args:
        case: says what the individual policy is.
        host: scores.
        rollout: whole episodes.
    """
    written = without_table(rollout)
    steps, games = written.actions.shape[:2]
    memory: Memory = host.initial_memory(games)
    policies = []
    for step in range(steps):
        seen = written.observations.map(itemgetter(step))
        scores, memory = host.scores(seen, memory)
        policy = case.exploration.individual
        legal = seen.legal_actions()
        policies.append(policy.log_policy(scores, legal, rollout.progress))
    return torch.stack(policies)
