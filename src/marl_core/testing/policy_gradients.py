"""Whether an individual policy can be learnt by its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.protocols import IndividualPolicy
from marl_core.testing.checking import for_all
from marl_core.testing.policy_case import PolicyCase
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.strategies import seeds

#: A step of finite differences; not smaller, because a policy may compute in single precision.
_STEP = 1e-3


def log_policy_is_differentiable(case: PolicyCase) -> None:
    """Gradients are finite; those by logits are those that finite differences find.

    Why:
        Hosts learn through it.

    Broken by:
        A detached constant, ``argmax``, a normalisation outside of the graph.

    Args:
        case: the policy to check.
    """

    @for_all(50, scene=scenes(), seed=seeds())
    def check(scene: Scene, seed: int) -> None:
        policy = case.make(scene.spec)
        if "logits" not in policy.accepts:
            return
        _check_gradient(policy, scene)
        _check_slope(
            policy,
            scene,
            torch.Generator().manual_seed(seed),
        )


def _check_gradient(policy: IndividualPolicy, scene: Scene) -> None:
    scores = scene.batch.scores.clone().requires_grad_()
    log_policy = policy.log_policy(
        scores,
        scene.batch.legal,
        scene.progress,
    )
    assert log_policy.requires_grad, (
        "log_policy does not depend on the scores: nothing could be learnt"
    )
    (gradient,) = torch.autograd.grad(
        log_policy[scene.legal].sum(),
        scores,
    )
    assert gradient.isfinite().all(), "the gradient of log_policy is not finite"


def _check_slope(
    policy: IndividualPolicy,
    scene: Scene,
    generator: torch.Generator,
) -> None:
    shape = scene.batch.scores.shape

    def normal() -> Tensor:
        return torch.randn(
            shape,
            generator=generator,
            dtype=torch.float64,
        )

    def value(at: Tensor) -> Tensor:
        log_policy = policy.log_policy(
            at,
            scene.batch.legal,
            scene.progress,
        )
        return log_policy[scene.legal].double().sum()

    scores = normal().requires_grad_()
    direction = normal()
    (exact,) = torch.autograd.grad(value(scores), scores)
    with torch.no_grad():
        above = value(scores + _STEP * direction)
        below = value(scores - _STEP * direction)
    slope = (above - below) / (2 * _STEP)
    bound = 0.02 * (1 + float(exact.abs().sum()))
    off = float((exact * direction).sum() - slope)
    assert abs(off) < bound, "autograd and finite differences disagree"
