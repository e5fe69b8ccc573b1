"""Gaussian policies over boxes: densities, entropies, ranks.

Changes of variables are compared in double precision with torch's own distributions. At a bound of
a squashed policy the formula is compared at the nearest action that can be told from it.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from marl_core.densities.chi_square import mass_within
from marl_core.densities.gaussian import GaussianDensities
from tests.support.gaussians import SEEDS, gaussians, noise_of

SINGLE = torch.float32


def by_hand(policy: GaussianDensities, latent: Tensor) -> Tensor:
    """log N(u) - log |da/du|, summed over the numbers."""
    half = (policy.high - policy.low) / 2
    slope = half.log().expand_as(latent)
    if policy.squashed:
        slope = slope - 2 * latent.abs() - 2 * torch.log1p((-2 * latent.abs()).exp())
        slope = slope + math.log(4)
    return (Normal(policy.mean, policy.log_std.exp()).log_prob(latent) - slope).sum(-1)


@given(gaussians(), SEEDS)
def test_densities_are_those_of_the_change_of_variables(
    policy: GaussianDensities, seed: int
) -> None:
    """In double precision, at draws that lie no nearer to a bound than rounding shows."""
    latent = (policy.mean + policy.log_std.exp() * noise_of(policy, seed)).clamp(-8, 8)
    half = (policy.high - policy.low) / 2
    image = latent.tanh() if policy.squashed else latent
    found = policy.log_density(policy.low + half * (image + 1))
    # An action's rounding error moves u by up to 1e-16 |bound| / width e^2u.
    steep = (policy.mean - latent).abs() / policy.log_std.exp().square()
    off = 1e-12 * (1 + steep.amax(-1)) * (1e3 if policy.squashed else 1)
    if policy.squashed:
        near = ((2 * latent.abs()).exp() * 1e-13 / half).amax(-1)
        off = off + (1 + steep.sum(-1)) * near * policy.high.abs().clamp(min=1).max()
    assert ((found - by_hand(policy, latent)).abs() <= off).all()


@given(st.floats(-8, 8), st.floats(0.02, 1), st.sampled_from([-1.0, 1.0]))
def test_next_to_a_bound_the_density_is_exact(
    mean: float, std: float, side: float
) -> None:
    """Single precision at the single number next to a bound, against double precision there."""
    action = torch.tensor([[side * (1 - 2.0**-22)]])
    ends = (torch.tensor([-1.0]), torch.tensor([1.0]))
    spread = torch.tensor([[std]]).log()
    policy = GaussianDensities(torch.tensor([[mean]]), spread, *ends, squashed=True)
    exact = GaussianDensities(
        policy.mean.double(),
        policy.log_std.double(),
        ends[0].double(),
        ends[1].double(),
        squashed=True,
    )
    latent = torch.atanh(action.double())
    expected = by_hand(exact, latent)
    found = policy.log_density(action).double()
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@given(gaussians(dtype=SINGLE), st.sampled_from(["low", "high"]))
def test_at_the_bounds_all_is_finite(policy: GaussianDensities, which: str) -> None:
    """Densities and their gradients, also of actions beyond a bound."""
    mean = policy.mean.clone().requires_grad_()
    log_std = policy.log_std.clone().requires_grad_()
    asked = GaussianDensities(mean, log_std, policy.low, policy.high, policy.squashed)
    bound = getattr(policy, which)
    for beyond in (0.0, 0.5):
        outward = beyond if which == "high" else -beyond
        found = asked.log_density((bound + outward).expand(policy.shape))
        assert found.isfinite().all()
        gradients = torch.autograd.grad(found.sum(), [mean, log_std])
        assert all(one.isfinite().all() for one in gradients)


@settings(max_examples=30)
@given(gaussians(numbers=(1, 1), games=1))
def test_densities_integrate_to_one(policy: GaussianDensities) -> None:
    """One number, by the trapezoidal rule over actions that are dense where the mass is."""
    latent = policy.mean + policy.log_std.exp() * torch.linspace(
        -9, 9, 4001, dtype=torch.float64
    )
    latent = latent.mT.unsqueeze(-1).movedim(0, 1)  # points, agents, 1
    half = (policy.high - policy.low) / 2
    image = latent.tanh() if policy.squashed else latent
    actions = policy.low + half * (image + 1)
    density = policy.log_density(actions).exp()
    inside = actions.squeeze(-1)
    steps = inside.diff(dim=0)
    total = ((density[1:] + density[:-1]) / 2 * steps).sum(0)
    assert torch.allclose(total, torch.ones_like(total), atol=2e-3)


@settings(max_examples=30)
@given(gaussians())
def test_a_plain_entropy_is_exact_and_a_squashed_one_nearly(
    policy: GaussianDensities,
) -> None:
    """Against Gaussian closed form, and against a fine sum over the latent law."""
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    weight = Normal(0.0, 1.0).log_prob(z).exp() * (z[1] - z[0])
    latent = policy.mean.unsqueeze(-1) + policy.log_std.exp().unsqueeze(-1) * z
    half = ((policy.high - policy.low) / 2).log()
    expected = Normal(policy.mean, policy.log_std.exp()).entropy() + half
    if policy.squashed:
        size = latent.abs()
        slope = math.log(4) - 2 * size - 2 * torch.log1p((-2 * size).exp())
        expected = expected + (slope * weight).sum(-1)
    off = (policy.entropy() - expected.sum(-1)).abs()
    assert off.max() < 1e-6


@given(gaussians(), SEEDS)
def test_ranks_are_those_of_the_noise(policy: GaussianDensities, seed: int) -> None:
    """And the mode has rank 0, where no action is squashed against a bound."""
    noise = noise_of(policy, seed)
    inside = (policy.mean + policy.log_std.exp() * noise).abs().amax(-1) < 7
    expected = mass_within(noise.square().sum(-1), policy.shape[-1])
    off = (policy.rank(policy.at(noise)) - expected).abs()
    assert (off[inside] < 1e-4).all()
    assert (policy.rank(policy.mode())[inside] < 1e-4).all()


@given(gaussians(dtype=SINGLE, squashed=True), SEEDS)
def test_squashed_actions_lie_inside_the_box(
    policy: GaussianDensities, seed: int
) -> None:
    actions = policy.at(20 * noise_of(policy, seed))
    assert ((actions > policy.low) & (actions < policy.high)).all()


@settings(max_examples=25)
@given(gaussians(numbers=(1, 3), games=1), SEEDS)
def test_gradients_are_those_of_finite_differences(
    policy: GaussianDensities, seed: int
) -> None:
    """Of log-densities, entropies and divergences, in means and spreads."""
    actions = policy.at(noise_of(policy, seed))

    def said(mean: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        asked = GaussianDensities(
            mean, log_std, policy.low, policy.high, policy.squashed
        )
        return (
            asked.log_density(actions),
            asked.entropy(),
            policy.divergence(asked),
            asked.divergence(policy),
        )

    mean = policy.mean.clone().requires_grad_()
    log_std = policy.log_std.clone().requires_grad_()
    assert torch.autograd.gradcheck(said, (mean, log_std), rtol=1e-3, atol=1e-4)


@given(gaussians(), SEEDS)
def test_divergences_are_torch_s(policy: GaussianDensities, seed: int) -> None:
    shift = noise_of(policy, seed) / 3
    other = GaussianDensities(
        policy.mean + shift,
        policy.log_std - shift,
        policy.low,
        policy.high,
        policy.squashed,
    )
    ours, theirs = (Normal(one.mean, one.log_std.exp()) for one in (policy, other))
    expected = torch.distributions.kl_divergence(ours, theirs).sum(-1)
    assert torch.allclose(policy.divergence(other), expected)


@pytest.mark.parametrize("squashed", [False, True])
def test_the_plain_map_takes_the_unit_box_to_the_box(*, squashed: bool) -> None:
    """A latent 1 is a bound, squashed it is tanh(1) of the way."""
    ends = (torch.tensor([2.0]), torch.tensor([6.0]))
    one = torch.ones(1, 1, 1)
    policy = GaussianDensities(one, one, *ends, squashed)
    expected = 4 + 2 * (math.tanh(1) if squashed else 1)
    assert policy.mode().item() == pytest.approx(expected)
