"""What every individual policy over numbers in a box must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import torch
from torch import Tensor

from marl_core.abilities import StatesDensities
from marl_core.densities.chi_square import mass_within
from marl_core.testing.box_scenes import (
    BoxScene,
    box_scenes,
    densities_in,
)
from marl_core.testing.checking import (
    SIGMAS,
    by_name,
    close,
    for_all,
)
from marl_core.testing.policy_case import PolicyCase
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec

#: How far along each number of the noise a sum over actions goes, and by how many points.
_FARTHEST, _POINTS = 8.0, {1: 2001, 2: 241}
#: How far from 1 the sum may be: the trapezoidal rule is off by less than a tenth of it.
_OFF = 5e-3
#: Draws of which a mean is taken.
_DRAWS = 4096
#: A step of finite differences, in double precision.
_STEP = 1e-5


def of_tables(
    check: Callable[[PolicyCase], None],
) -> Callable[[PolicyCase], None]:
    """A rule about tables of probabilities, which asks nothing of policies over boxes.

    Args:
        check: the rule.
    """

    @wraps(check)
    def of_discrete_actions(
        case: PolicyCase,
    ) -> None:
        if _states_densities(case):
            raise NotApplicableError("its actions are numbers in a box")
        check(case)

    return of_discrete_actions


def _states_densities(case: PolicyCase) -> bool:
    spec = EnvironmentSpec(
        agents=2,
        actions=2,
        max_steps=10,
        features=4,
    )
    return isinstance(case.make(spec), StatesDensities)


def _of_boxes(case: PolicyCase) -> None:
    if not _states_densities(case):
        raise NotApplicableError("it is a policy of discrete actions")


def log_densities_integrate_to_one(
    case: PolicyCase,
) -> None:
    """The exponential of ``log_density`` integrates to 1 over all actions, of one and two numbers.

    Why:
        A learner's ratios are of these densities; a missing factor that depends on the action bends
        every gradient of the policy.

    Broken by:
        A squashed policy without the map's slope, or with that of another box; a standard deviation
        and its logarithm mixed up.

    Args:
        case: the policy to check.
    """
    _of_boxes(case)

    @for_all(20, scene=box_scenes(numbers=(1, 2)))
    def check(scene: BoxScene) -> None:
        one_game = replace(scene, scores=scene.scores[:1])
        numbers = scene.box.numbers
        noise = _grid(numbers)
        many = one_game.repeated(len(noise))
        densities = densities_in(case.make(scene.spec), many)
        agents = densities.shape[1]
        actions = densities.at(noise.unsqueeze(1).expand(-1, agents, -1))
        heights = densities.log_density(actions).exp()
        shape = (_POINTS[numbers],) * numbers
        total = _summed(
            heights.view(*shape, agents),
            actions.view(*shape, agents, numbers),
        )
        worst = float(total.flatten()[(total - 1).abs().argmax()])
        assert abs(worst - 1) < _OFF, f"exp(log_density) integrates to {worst:.4g}"


def _grid(numbers: int) -> Tensor:
    """Noise all over where there is mass, ``[points, D]``."""
    line = torch.linspace(
        -_FARTHEST,
        _FARTHEST,
        _POINTS[numbers],
        dtype=torch.float64,
    )
    return torch.cartesian_prod(*[line] * numbers).view(-1, numbers)


def _summed(heights: Tensor, actions: Tensor) -> Tensor:
    """The sum of heights over cells between actions that lie on a bent grid."""
    if actions.shape[-1] == 1:
        widths = actions.squeeze(-1).diff(dim=0).abs()
        return ((heights[1:] + heights[:-1]) / 2 * widths).sum(0)
    down = (actions[1:] - actions[:-1])[:, :-1]
    across = (actions[:, 1:] - actions[:, :-1])[:-1]
    area = down[..., 0] * across[..., 1] - down[..., 1] * across[..., 0]
    corners = heights[1:, 1:] + heights[1:, :-1] + heights[:-1, 1:] + heights[:-1, :-1]
    return (corners / 4 * area.abs()).sum((0, 1))


def ranks_are_those_of_the_draws(
    case: PolicyCase,
) -> None:
    """An action drawn by noise has the noise's rank, the mode has rank 0, and so has no noise.

    Why:
        Resonance draws ranks. Where a policy's own draws have other ranks than it says, Eq. 16
        fails, though the law states it.

    Broken by:
        A distance that is not divided by the standard deviations, the density's peak in place of
        the action of rank 0.

    Args:
        case: the policy to check.
    """
    _of_boxes(case)

    @for_all(50, scene=box_scenes())
    def check(scene: BoxScene) -> None:
        densities = densities_in(case.make(scene.spec), scene)
        noise = scene.noise().clamp(-2.5, 2.5)
        expected = mass_within(noise.square().sum(-1), noise.shape[-1])
        found = densities.rank(densities.at(noise))
        assert close(found, expected, 1e-4), (
            "rank() of an action is not that of the noise which it was drawn by"
        )
        still = densities.at(torch.zeros_like(noise))
        assert close(densities.mode(), still), "mode() is not the action without noise"


def entropies_are_those_of_the_draws(
    case: PolicyCase,
) -> None:
    """``entropy`` is the mean of ``-log_density`` over draws, as far as chance allows.

    Why:
        The bonus of Eq. 1 is this entropy.

    Broken by:
        The latent law's entropy in place of a squashed policy's, a sign, a missing constant.

    Args:
        case: the policy to check.
    """
    _of_boxes(case)

    @for_all(20, scene=box_scenes())
    def check(scene: BoxScene) -> None:
        one_game = replace(scene, scores=scene.scores[:1])
        many = one_game.repeated(_DRAWS)
        densities = densities_in(case.make(scene.spec), many)
        drawn = -densities.log_density(densities.at(many.noise()))
        error = drawn.std(0) / _DRAWS**0.5
        off = (densities.entropy()[0] - drawn.mean(0)).abs()
        assert (off < SIGMAS * error + 5e-3).all(), (
            f"entropy is off the mean of -log_density by {float(off.max()):.3g}"
        )


def log_densities_are_differentiable(
    case: PolicyCase,
) -> None:
    """Gradients of ``log_density`` and ``entropy`` are finite, and what finite differences find.

    Why:
        Hosts learn through them.

    Broken by:
        A detached standard deviation, an action that is taken for a function of the scores.

    Args:
        case: the policy to check.
    """
    _of_boxes(case)

    @for_all(30, scene=box_scenes())
    def check(scene: BoxScene) -> None:
        policy = case.make(scene.spec)
        assert isinstance(policy, StatesDensities)
        actions = densities_in(policy, scene).at(scene.noise())

        def values(scores: Tensor) -> Tensor:
            densities = policy.densities(scores, scene.progress)
            return densities.log_density(actions).sum() + 2 * densities.entropy().sum()

        scores = scene.scores.clone().requires_grad_()
        (exact,) = torch.autograd.grad(values(scores), scores)
        assert exact.isfinite().all(), "a gradient of log_density is not finite"
        generator = torch.Generator().manual_seed(scene.seed)
        direction = torch.randn(
            exact.shape,
            generator=generator,
            dtype=exact.dtype,
        )
        with torch.no_grad():
            above = values(scene.scores + _STEP * direction)
            below = values(scene.scores - _STEP * direction)
        slope = float((above - below) / (2 * _STEP))
        off = abs(float((exact * direction).sum()) - slope)
        assert off < 1e-3 * (1 + float((exact * direction).abs().sum())), (
            "autograd and finite differences disagree about log_density"
        )


DENSITY_CHECKS = by_name(
    log_densities_integrate_to_one,
    ranks_are_those_of_the_draws,
    entropies_are_those_of_the_draws,
    log_densities_are_differentiable,
)
