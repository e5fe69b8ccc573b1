"""Whether a host learns in the right direction: the signs of what it maximises."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.protocols import HostAlgorithm
from marl_core.testing.checking import by_name
from marl_core.testing.gradients import gradients_of
from marl_core.testing.learning import HostCase, rollouts
from marl_core.testing.lessons import (
    WithBonus,
    first_with_lessons,
    log_policies_of_play,
    moved_host,
    step_down,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Rollout

#: How far a host goes down each loss.
_STEP = 0.05
#: How far it goes along the gradient of the entropy alone.
_SMALL = 0.01


def what_is_rewarded_grows_likelier(case: HostCase) -> None:
    """If one action alone is rewarded, its probability rises while the host learns.

    Why:
        It is what learning is for.

    Broken by:
        The loss's sign, actions or rewards along the wrong axis.

    Args:
        case: the host to check.
    """
    host = case.build()
    policy = case.exploration.individual
    first: Rollout | None = None
    wanted = 0
    for rollout in rollouts(case.environment, host, case.exploration):
        if first is None:
            first = rollout
            wanted = _wanted(case, host, first)
            before = _likelihood(case, host, first, wanted)
        rewarded = _rewarding(rollout, wanted)
        for loss in host.losses(rewarded, policy, LearningContext()):
            step_down(host, gradients_of(host, loss), _STEP)
    assert first is not None
    after = _likelihood(case, host, first, wanted)
    assert after > before, (
        f"action {wanted} alone was rewarded, and its probability went from {before:.4f} to "
        f"{after:.4f}: has the loss the wrong sign?"
    )


def the_bonus_raises_the_entropy(case: HostCase) -> None:
    """The individual policy's bonus is in the loss: its gradient leads to more entropy.

    Why:
        c_H decides whether a team falls into the trap; without it there is no exploration to
        couple.

    Broken by:
        A sign, a bonus that is detached, or is a setting of the host's own.

    Args:
        case: the host to check.
    """
    host = moved_host(case)
    if host.capabilities.scores != "logits":
        raise NotApplicableError("its scores are values, and it learns no policy")
    rollout = first_with_lessons(case)
    without, with_bonus = (_first_gradients(case, rollout, b) for b in (0.0, 1.0))
    alone: dict[str, Tensor | None] = {}
    for name, gradient in with_bonus.items():
        other = without[name]
        alone[name] = (
            gradient if gradient is None or other is None else gradient - other
        )
    before = _entropy(case, host, rollout)
    step_down(host, alone, _SMALL)
    after = _entropy(case, host, rollout)
    assert after > before, (
        f"down the gradient of the entropy bonus, the entropy went from {before:.5f} to "
        f"{after:.5f}: is policy.entropy_coefficient in the loss, and with the right sign?"
    )


def _first_gradients(
    case: HostCase, rollout: Rollout, bonus: float
) -> dict[str, Tensor | None]:
    host = moved_host(case)
    policy = WithBonus(case.exploration.individual, bonus)
    loss = next(host.losses(rollout, policy, LearningContext()))
    return gradients_of(host, loss)


def _wanted(case: HostCase, host: HostAlgorithm, rollout: Rollout) -> int:
    """The action that is chosen most often, but for the one that does nothing."""
    acting = without_table(rollout).acting
    counts = torch.bincount(rollout.actions[acting], minlength=case.spec.actions)
    return 1 + int(counts[1:].argmax())


def _rewarding(rollout: Rollout, wanted: int) -> Rollout:
    """The rollout with a reward for each agent that does what is wanted, and no other."""
    acting = without_table(rollout).acting
    earned = ((rollout.actions == wanted) & acting).to(rollout.reward)
    return replace(rollout, reward=earned, team_reward=earned.mean(-1))


def _probabilities(case: HostCase, host: HostAlgorithm, rollout: Rollout) -> Tensor:
    """The policies of the agents that act, ``[samples, A]``."""
    acting = without_table(rollout).acting
    return log_policies_of_play(case, host, rollout)[acting].exp()


def _likelihood(
    case: HostCase, host: HostAlgorithm, rollout: Rollout, wanted: int
) -> float:
    return float(_probabilities(case, host, rollout)[:, wanted].mean())


def _entropy(case: HostCase, host: HostAlgorithm, rollout: Rollout) -> float:
    policies = _probabilities(case, host, rollout).double()
    return float(-(policies * policies.clamp(min=1e-30).log()).sum(-1).mean())


HOST_DIRECTION_CHECKS = by_name(
    what_is_rewarded_grows_likelier,
    the_bonus_raises_the_entropy,
)
