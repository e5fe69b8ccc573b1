"""Resonance for densities: Eq. 16 exactly, for every policy, every eta, every p_min."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marl_core.densities.gaussian import GaussianDensities
from marl_core.joint_policy import draw_components
from marl_core.types import Moment, Progress
from marl_pr.coupling import PolicyResonance
from marl_pr.density_resonance import core_mass, resonant_ranks, resonate_densities
from marl_pr.given_policies import ArgumentError
from marl_pr.resonance import RESONATED
from tests.support.gaussians import SEEDS, gaussians, noise_of

ETAS = st.floats(0, 0.99)
P_MINS = st.floats(0, 0.9)
#: Chance exceeds the Dvoretzky-Kiefer-Wolfowitz bound less than once in this many times.
ONCE_IN = 1e8


@given(gaussians(), SEEDS, ETAS, P_MINS)
def test_every_agent_keeps_its_density(
    policy: GaussianDensities, seed: int, eta: float, p_min: float
) -> None:
    """Eq. 16 pointwise: eta f_res + (1 - eta) f_out = f, at draws of every rank."""
    actions = policy.at(noise_of(policy, seed))
    law = resonate_densities(policy, eta, p_min)
    found = law.marginal_log_density(actions)
    assert torch.allclose(found, policy.log_density(actions), rtol=0, atol=1e-9)


@given(st.floats(1e-4, 0.99), P_MINS)
def test_in_resonance_nobody_leaves_the_core(eta: float, p_min: float) -> None:
    """And outside of it an agent lies there with probability p_min (Eq. 17, 18)."""
    ranks = resonant_ranks(torch.tensor(eta), p_min)
    mass = core_mass(torch.tensor(eta), p_min)
    assert torch.allclose(ranks.core, mass.expand(2))
    assert torch.allclose(ranks.inside, torch.tensor([p_min, 1.0]))
    shares = torch.tensor([1 - eta, eta])
    assert torch.allclose((shares * ranks.inside).sum(), mass)


@pytest.mark.parametrize(("eta", "p_min"), [(0.3, 0.0), (0.75, 0.2)])
@pytest.mark.parametrize("numbers", [1, 2, 3])
def test_drawn_in_resonance_ranks_are_uniform_and_the_team_meets_in_the_core(
    numbers: int, eta: float, p_min: float
) -> None:
    """Each agent alone: Kolmogorov-Smirnov. All of them together: at least eta, and far more than
    m^N, which independent agents have.
    """
    games, agents = 40_000, 4
    shape = (games, agents, numbers)
    ends = (torch.full((numbers,), -1.0), torch.full((numbers,), 1.0))
    policy = GaussianDensities(
        torch.zeros(shape), torch.full(shape, -1.0), *ends, squashed=numbers == 2
    )
    law = resonate_densities(policy, eta, p_min)
    generator = torch.Generator().manual_seed(7)
    component = draw_components(law.weights, games, generator)
    rank = policy.rank(law.draw(component, generator))
    bound = math.sqrt(math.log(2 * ONCE_IN) / (2 * games))
    expected = (torch.arange(games) + 0.5) / games
    for agent in range(agents):
        assert (rank[:, agent].sort().values - expected).abs().max() < bound
    mass = float(core_mass(torch.tensor(eta), p_min))
    together = float((rank <= mass + 1e-6).all(-1).float().mean())
    assert together == pytest.approx(eta + (1 - eta) * p_min**agents, abs=bound)
    assert together > eta - bound
    assert together > mass**agents


@given(gaussians(dtype=torch.float32), SEEDS, P_MINS)
def test_without_resonance_it_is_the_plain_policy(
    policy: GaussianDensities, seed: int, p_min: float
) -> None:
    """Bit for bit."""
    law = resonate_densities(policy, 0.0, p_min)
    component = torch.zeros(policy.shape[0], dtype=torch.int64)
    drawn = law.draw(component, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    assert torch.equal(drawn, policy.at(torch.randn(policy.shape, generator=generator)))


@given(gaussians(dtype=torch.float32, squashed=False), SEEDS)
def test_a_small_core_is_the_mode(policy: GaussianDensities, seed: int) -> None:
    """As eta falls to 0, what is drawn in resonance becomes the greedy action."""
    component = torch.full(policy.shape[:1], RESONATED)
    off = []
    for eta in (1e-2, 1e-6, 0.0):
        law = resonate_densities(policy, eta, 0.0)
        drawn = law.draw(component, torch.Generator().manual_seed(seed))
        distance = (drawn - policy.mode()) / (policy.log_std.exp() * policy.high)
        off.append(float(policy.rank(drawn).max()))
        assert distance.isfinite().all()
    assert off[0] <= 1e-2 + 1e-3
    assert torch.equal(drawn, policy.mode())


@settings(max_examples=20)
@given(gaussians(games=2), SEEDS, ETAS, ETAS)
def test_each_game_may_have_its_own_eta(
    policy: GaussianDensities, seed: int, one: float, other: float
) -> None:
    eta = torch.tensor([one, other], dtype=torch.float64)
    actions = policy.at(noise_of(policy, seed))
    law = resonate_densities(policy, eta, 0.1)
    found = law.marginal_log_density(actions)
    assert torch.allclose(found, policy.log_density(actions), rtol=0, atol=1e-9)


@given(gaussians(), SEEDS, st.floats(0, 0.99), st.floats(0, 0.5))
def test_the_coupling_states_it(
    policy: GaussianDensities, seed: int, eta: float, p_min: float
) -> None:
    """At its schedule's eta, in single precision; the control without Eq. 18 departs."""
    made = PolicyResonance(eta_max=eta, ramp_episodes=0, p_min=p_min)
    weights = made.weights(Moment(Progress(), torch.device("cpu")))
    law = made.density_law(policy, weights, Progress())
    actions = policy.at(noise_of(policy, seed))
    found = law.marginal_log_density(actions)
    assert torch.allclose(found, policy.log_density(actions), rtol=0, atol=1e-5)
    assert not made.departs_from_densities(Progress())


def test_uncorrected_it_departs() -> None:
    policy = GaussianDensities(
        torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), -torch.ones(1), torch.ones(1)
    )
    made = PolicyResonance(eta_max=0.5, ramp_episodes=0, p_min=0.0, corrected=False)
    law = made.density_law(policy, torch.tensor([0.5, 0.5]), Progress())
    mode = policy.mode()
    gained = law.marginal_log_density(mode) - policy.log_density(mode)
    # Half of the games by the policy, half of them in a core of mass 1/2: 1/2 + 1/2 * 2.
    assert float(gained) == pytest.approx(math.log(1.5), abs=1e-5)
    assert made.departs_from_densities(Progress())


def test_a_wrong_eta_is_refused() -> None:
    policy = GaussianDensities(
        torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), -torch.ones(1), torch.ones(1)
    )
    with pytest.raises(ArgumentError, match="eta"):
        resonate_densities(policy, 1.5, 0.1)
    with pytest.raises(ArgumentError, match="p_min"):
        resonate_densities(policy, 0.5, 1.0)
