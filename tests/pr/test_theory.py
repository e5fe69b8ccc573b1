"""The theory of the diffusion of responsibility.

It is compared with enumeration, finite differences and the environment. Everything is in double
precision; sums over at most 2^7 joint actions are exact to 1e-12.
"""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_core.reports.results import RunResult
from marl_core.testing.strategies import policies
from marl_envs.fme import FMEConfig
from marl_envs.fme.config import ResponsibilityLevel
from marl_envs.fme.rewards import LevelTable
from marl_pr.paper.algorithms import PPO_MA
from marl_pr.paper.scale import QUICK, Seeds
from marl_pr.paper.table1 import Table1
from marl_pr.paper.theory_item import Theory
from marl_pr.resonance import resonate
from marl_pr.theory import mean_field, noise
from marl_pr.theory.bisection import sign_change
from marl_pr.theory.log_odds import log_odds, probability_of
from marl_pr.theory.policy_based import EntropyTrap
from marl_pr.theory.predictions import Setting, policy_based_sizes, predict, predictions
from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_penalty,
    epsilon_greedy_probability,
    expected_reward,
    joint_expected_reward,
    joint_penalty_probability,
    others_mean,
    penalty_probability,
    product_of_others,
    reward_difference,
    reward_gradient,
)
from marl_pr.theory.team_sizes import critical_sizes
from marl_pr.theory.trap import (
    corrected,
    least_dissolving_eta,
    policy_pull,
    trap_signal,
)
from marl_pr.theory.value_based import (
    critical_epsilon,
    critical_team_size,
    least_eta,
    trapped_share_of_annealing,
)

EXACT = 1e-12
SHARES = st.floats(0, 1)
INNER = st.floats(0.01, 0.99)
ETAS = st.floats(0, 0.99)
TEAMS = st.integers(2, 7)


@st.composite
def gamma_probabilities(draw: st.DrawFn) -> Tensor:
    """pi_i(u_gamma) of the agents of a team; 0 and 1 occur."""
    one = st.one_of(SHARES, st.sampled_from([0.0, 1.0]))
    return torch.tensor(
        draw(st.lists(one, min_size=2, max_size=7)), dtype=torch.float64
    )


@st.composite
def entropy_traps(draw: st.DrawFn) -> EntropyTrap:
    """Teams of any size, with prices of entropy from very low to very high."""
    return EntropyTrap(
        draw(st.integers(2, 60)),
        draw(st.integers(2, 20)),
        10 ** draw(st.floats(-3, 0)),
        draw(st.floats(0.1, 3)),
    )


def _reward(taking: int, agents: int) -> float:
    """Eq. 2."""
    return 0.0 if taking == agents else taking / (agents - 1)


def _law(gamma: list[float]) -> list[tuple[tuple[int, ...], float]]:
    """All ways for independent agents to take u_gamma (1) or not (0), with probabilities."""
    return [
        (
            taken,
            float(
                np.prod([p if t else 1 - p for t, p in zip(taken, gamma, strict=True)])
            ),
        )
        for taken in product((0, 1), repeat=len(gamma))
    ]


def _joint_law(joint: JointPolicy, action: int) -> list[tuple[tuple[int, ...], float]]:
    weighed = zip(
        joint.weights.tolist(), joint.components[..., action].tolist(), strict=True
    )
    return [
        (taken, weight * p) for weight, gamma in weighed for taken, p in _law(gamma)
    ]


def _means(
    law: list[tuple[tuple[int, ...], float]], agent: int, choice: int
) -> tuple[float, float, float]:
    """Probability of the agent's choice, and mean and deviation of the reward given it."""
    rows = [
        (p, _reward(sum(taken), len(taken)))
        for taken, p in law
        if taken[agent] == choice
    ]
    weight = sum(p for p, _ in rows)
    if weight == 0:
        return 0.0, 0.0, 0.0
    mean = sum(p * r for p, r in rows) / weight
    return (
        weight,
        mean,
        max(sum(p * (r - mean) ** 2 for p, r in rows) / weight, 0.0) ** 0.5,
    )


# Eq. 3, 5, 6, 8-10


@given(gamma_probabilities())
def test_expected_reward_and_penalty_by_enumeration(gamma: Tensor) -> None:
    law = _law(gamma.tolist())
    assert float(expected_reward(gamma)) == pytest.approx(
        sum(p * _reward(sum(t), len(t)) for t, p in law), abs=EXACT
    )
    assert float(penalty_probability(gamma)) == pytest.approx(
        sum(p for t, p in law if all(t)), abs=EXACT
    )


@given(gamma_probabilities())
def test_gradient_by_finite_differences(gamma: Tensor) -> None:
    """Eq. 5 is linear in each agent's probability.

    So the difference between its values at 1 and at 0 is the derivative.
    """
    for agent, slope in enumerate(reward_gradient(gamma).tolist()):
        ends = [gamma.clone(), gamma.clone()]
        ends[0][agent], ends[1][agent] = 0, 1
        assert slope == pytest.approx(
            float(expected_reward(ends[1]) - expected_reward(ends[0])), abs=EXACT
        )


@given(gamma_probabilities())
def test_product_of_others(gamma: Tensor) -> None:
    values = gamma.tolist()
    wanted = [np.prod(values[:i] + values[i + 1 :]) for i in range(len(values))]
    assert product_of_others(gamma).tolist() == pytest.approx(wanted, abs=EXACT)


@given(gamma_probabilities())
def test_an_agent_gains_by_leaving_exactly_above_the_threshold(gamma: Tensor) -> None:
    """Eq. 9 says the same as Eq. 4.

    Where Eq. 9 holds for an agent, another agent is itself above the threshold (Eq. 10).
    """
    threshold = critical_probability(len(gamma))
    means = others_mean(gamma)
    assume(bool((means - threshold).abs().min() > 1e-9))
    assert torch.equal(means > threshold, reward_gradient(gamma) < 0)
    for agent in torch.nonzero(means > threshold).flatten().tolist():
        assert max(p for j, p in enumerate(gamma.tolist()) if j != agent) >= threshold


def test_thresholds_that_the_paper_prints() -> None:
    assert critical_probability(15) == pytest.approx(0.824, abs=5e-4)
    assert critical_probability(50) == pytest.approx(0.923, abs=5e-4)


@given(
    policies(masks=False), st.integers(0, 11), ETAS, st.floats(0, 0.9), st.booleans()
)
def test_the_environment_agrees(
    individual: Tensor, action: int, eta: float, p_min: float, resonates: bool
) -> None:
    """Eq. 5 under any coupling is what ``LevelTable.expected`` says of a Lv-C level."""
    assume(individual.shape[-2] >= 2)
    action %= individual.shape[-1]
    team = individual[:1].double()
    joint = (
        resonate(team, torch.tensor(eta, dtype=torch.float64), p_min)
        if resonates
        else JointPolicy.independent(team)
    )
    level = ResponsibilityLevel(kind="C", action=action)
    table = LevelTable.build([level], team.shape[-2], team.shape[-1], "cpu")
    # The table is in single precision.
    assert float(joint_expected_reward(joint, action)) == pytest.approx(
        float(table.expected(joint)), abs=1e-6
    )


@pytest.mark.parametrize("call", [expected_reward, reward_gradient, others_mean])
def test_a_single_agent_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        call(torch.ones(1, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least 2"):
        critical_probability(1)


# Under a coupling


@given(policies(masks=False), st.integers(0, 11), ETAS, st.floats(0, 0.9))
def test_reward_difference_by_enumeration(
    individual: Tensor, action: int, eta: float, p_min: float
) -> None:
    team = individual[0, :6].double()
    assume(team.shape[0] >= 2)
    action %= team.shape[-1]
    joint = resonate(team, torch.tensor(eta, dtype=torch.float64), p_min)
    law = _joint_law(joint, action)
    for agent, difference in enumerate(reward_difference(joint, action).tolist()):
        (taking, mean_taking, _), (leaving, mean_leaving, _) = (
            _means(law, agent, 1),
            _means(law, agent, 0),
        )
        assume(
            min(taking, leaving) > 1e-6 or min(taking, leaving) == 0
        )  # else rounding in 1 - p shows
        wanted = mean_taking - mean_leaving if taking and leaving else 0.0
        assert difference == pytest.approx(wanted, abs=1e-8)
    assert float(joint_penalty_probability(joint, action)) == pytest.approx(
        sum(p for t, p in law if all(t)), abs=EXACT
    )


@given(gamma_probabilities())
def test_independent_agents_see_eq_6(gamma: Tensor) -> None:
    inside = gamma.clamp(0.01, 0.99)
    joint = JointPolicy.independent(torch.stack([inside, 1 - inside], dim=-1))
    assert torch.allclose(
        reward_difference(joint, 0), reward_gradient(inside), rtol=0, atol=EXACT
    )


@given(TEAMS, INNER, ETAS, st.floats(0, 0.9))
def test_resonance_shows_the_penalty_at_least_eta_often(
    agents: int, favourite: float, eta: float, p_min: float
) -> None:
    assume(favourite > 0.5)
    team = torch.tensor([[favourite, 1 - favourite]] * agents, dtype=torch.float64)
    joint = resonate(team, torch.tensor(eta, dtype=torch.float64), p_min)
    penalty = float(joint_penalty_probability(joint, 0))
    assert penalty >= eta - EXACT
    assert penalty == pytest.approx(
        eta + (1 - eta) * corrected(favourite, eta, p_min) ** agents, abs=1e-9
    )


def test_eq_20() -> None:
    assert epsilon_greedy_penalty(0.1, 10, 3) == pytest.approx(0.91**3)
    assert epsilon_greedy_probability(1.0, 4) == pytest.approx(0.25)


# The trap


@given(TEAMS, INNER, ETAS, st.floats(0, 0.9))
def test_trap_signal_by_enumeration(
    agents: int, favourite: float, eta: float, p_min: float
) -> None:
    c = corrected(favourite, eta, p_min)
    law = [(t, (1 - eta) * p) for t, p in _law([c] * agents)] + [((1,) * agents, eta)]
    signal = trap_signal(agents, favourite, eta, p_min)
    (taking, mean_taking, spread_taking), (_, mean_leaving, spread_leaving) = (
        _means(law, 0, 1),
        _means(law, 0, 0),
    )
    assume(taking > 1e-6)
    assert signal.taking == pytest.approx(taking, abs=EXACT)
    assert signal.difference == pytest.approx(mean_taking - mean_leaving, abs=1e-9)
    # Square roots of differences: half the digits.
    assert signal.deviation_taking == pytest.approx(spread_taking, abs=1e-6)
    assert signal.deviation_leaving == pytest.approx(spread_leaving, abs=1e-6)
    assert signal.penalty == pytest.approx(sum(p for t, p in law if all(t)), abs=EXACT)


@given(TEAMS, st.floats(0.4, 0.99), ETAS, st.floats(0, 0.9))
def test_trap_signal_is_the_difference_of_equal_agents(
    agents: int, favourite: float, eta: float, p_min: float
) -> None:
    others = (1 - favourite) / 4
    team = torch.tensor([[favourite, *[others] * 4]] * agents, dtype=torch.float64)
    joint = resonate(team, torch.tensor(eta, dtype=torch.float64), p_min)
    seen = float(reward_difference(joint, 0)[0])
    assert trap_signal(agents, favourite, eta, p_min).difference == pytest.approx(
        seen, abs=1e-9
    )


def test_episodes_are_what_a_sample_needs() -> None:
    """After that number of episodes the estimate is, as a rule, six standard errors from 0."""
    agents, favourite = 5, 0.8
    signal = trap_signal(agents, favourite)
    episodes = round(signal.episodes(6.0))
    chosen = np.random.default_rng(0).random((2000, episodes, agents)) < favourite
    counts = chosen.sum(-1)
    reward = np.where(counts == agents, 0.0, counts / (agents - 1))
    own = chosen[..., 0]
    assert ((own.sum(1) > 0) & (own.sum(1) < episodes)).all()
    seen = (reward * own).sum(1) / own.sum(1) - (reward * ~own).sum(1) / (~own).sum(1)
    assert seen.mean() == pytest.approx(signal.difference, abs=0.02)
    assert abs(seen.mean()) / seen.std() == pytest.approx(6.0, rel=0.15)


@given(st.integers(2, 200), INNER, st.sampled_from([0.0, 0.05, 0.1, 0.2]), INNER)
def test_least_eta_parts_trapped_from_dissolved(
    agents: int, favourite: float, p_min: float, share: float
) -> None:
    least = least_dissolving_eta(agents, favourite, p_min)
    assert 0 <= least <= 1 / agents + EXACT
    below, above = least * share, least + (0.99 - least) * share
    if below > 0 and least - below > 1e-6:
        assert trap_signal(agents, favourite, below, p_min).difference >= 0
    if corrected(favourite, above, p_min) > 0 and above - least > 1e-6:
        assert trap_signal(agents, favourite, above, p_min).difference <= 0


@given(st.integers(2, 5), INNER, ETAS, st.floats(0, 0.9))
def test_policy_pull_is_the_gradient_of_the_surrogate(
    agents: int, favourite: float, eta: float, p_min: float
) -> None:
    """Central differences of ``sum_u P'(u) R(u) log pi_1(u_1)``, where P' is held constant."""
    c, step = corrected(favourite, eta, p_min), 1e-4 * min(favourite, 1 - favourite)
    law = [(t, (1 - eta) * p) for t, p in _law([c] * agents)] + [((1,) * agents, eta)]
    mean = sum(p * _reward(sum(t), agents) for t, p in law)

    def surrogate(own: float) -> float:
        return sum(
            p * (_reward(sum(t), agents) - mean) * np.log(own if t[0] else 1 - own)
            for t, p in law
        )

    slope = (surrogate(favourite + step) - surrogate(favourite - step)) / (2 * step)
    assert policy_pull(agents, favourite, eta, p_min) == pytest.approx(
        slope, rel=1e-4, abs=1e-6
    )


# Policy-based


def _objective(trap: EntropyTrap, gamma: Tensor) -> Tensor:
    """E[R]/sigma + c_H sum_i H_i: its derivative by pi_i is what agent i follows."""
    agents = len(gamma)
    reward = (gamma.sum() - agents * gamma.prod()) / (agents - 1)
    other = (1 - gamma) / (trap.actions - 1)
    entropy = -(gamma * gamma.log() + (1 - gamma) * other.log()).sum()
    return reward / trap.deviation + trap.coefficient * entropy


def _slope(trap: EntropyTrap, gamma: Tensor) -> Tensor:
    point = gamma.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(_objective(trap, point), point)
    return gradient


@given(st.floats(-30, 30), st.integers(2, 20))
def test_log_odds_and_back(odds: float, actions: int) -> None:
    p = probability_of(odds, actions)
    assume(p < 1 - 1e-6)
    assert log_odds(p, actions) == pytest.approx(odds, abs=1e-6)


@given(entropy_traps())
def test_the_symmetric_point_is_stationary(trap: EntropyTrap) -> None:
    p = trap.symmetric_point()
    assert 1 / trap.actions <= p + EXACT
    assert p <= critical_probability(trap.agents) + EXACT
    gamma = torch.full((trap.agents,), p, dtype=torch.float64)
    assert _slope(trap, gamma).abs().max() < 1e-8 / trap.deviation


@given(entropy_traps())
def test_symmetry_breaking_is_an_eigenvalue(trap: EntropyTrap) -> None:
    """It is the largest eigenvalue of the Hessian, which autograd gives."""
    gamma = torch.full((trap.agents,), trap.symmetric_point(), dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda g: _objective(trap, g), gamma)
    assert isinstance(hessian, Tensor)
    greatest = float(torch.linalg.eigvalsh(hessian)[-1])
    assert trap.symmetry_breaking() == pytest.approx(greatest, rel=1e-6, abs=1e-8)


@given(entropy_traps())
def test_the_negotiated_point_is_stationary(trap: EntropyTrap) -> None:
    found = trap.negotiated_point()
    if found is None:
        return
    stepped_back, others = found
    assert trap.threshold_in_reach()
    assert stepped_back < 1 / trap.actions
    assert (
        critical_probability(trap.agents)
        < others
        <= trap.greatest_probability() * (1 + 1e-9)
    )
    assume(stepped_back > 1e-12)
    assume(others < 1 - 1e-9)  # else the log odds have no digits left
    gamma = torch.tensor(
        [stepped_back, *[others] * (trap.agents - 1)], dtype=torch.float64
    )
    assert _slope(trap, gamma).abs().max() < 1e-5


@pytest.mark.parametrize("agents", [4, 5, 6, 7, 8, 9])
def test_trap_and_way_out_are_both_stable_in_between(agents: int) -> None:
    trap = Setting().trap_of(agents)
    point = trap.negotiated_point()
    assert point is not None
    gamma = torch.tensor([point[0], *[point[1]] * (agents - 1)], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda g: _objective(trap, g), gamma)
    assert isinstance(hessian, Tensor)
    assert float(torch.linalg.eigvalsh(hessian)[-1]) < 0
    assert trap.is_stable() == (agents >= 6)


@given(st.integers(2, 20), st.floats(0.01, 1), st.floats(0.1, 3))
def test_every_team_is_trapped_in_the_end(
    actions: int, coefficient: float, deviation: float
) -> None:
    """Above N = 1 + 1/(sigma c_H) the symmetric point is stable, whatever the number of actions."""
    beyond = int(1 + 1 / (deviation * coefficient)) + 1
    for agents in (beyond, 2 * beyond, 5 * beyond):
        assert EntropyTrap(max(agents, 2), actions, coefficient, deviation).is_stable()


def test_critical_sizes_of_table_3() -> None:
    """With 10 actions and c_H = 0.05.

    In the paper the first runs fail at N = 6, and all fail from N = 7 on.
    """
    plain = critical_sizes(10, 0.05)
    assert (plain.trap, plain.no_way_out, plain.out_of_reach) == (6, 7, 8)
    measured = policy_based_sizes(Setting(), largest=12)
    assert (measured.trap, measured.no_way_out, measured.out_of_reach) == (6, 10, 11)
    free = critical_sizes(10, 1e-6, largest=20)
    assert (free.trap, free.no_way_out, free.out_of_reach) == (None, None, None)


@pytest.mark.parametrize(
    "settings",
    [(1, 10, 0.05, 1.0), (3, 1, 0.05, 1.0), (3, 10, 0.0, 1.0), (3, 10, 0.05, 0.0)],
)
def test_traps_that_are_none(settings: tuple[int, int, float, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        EntropyTrap(*settings)


# Sigma


def _table(agents: int, tag: str = "1A4B2C") -> LevelTable:
    levels = FMEConfig(name="fme", agents=agents, tag=tag).resolved_levels()
    return LevelTable.build(levels, agents, 10, "cpu")


@pytest.mark.parametrize("tag", ["1A1B1C", "0A2B0C", "2A0B1C"])
def test_reward_variances_by_sampling(tag: str) -> None:
    """4 standard errors of a sample variance (fourth moments of a bounded reward, at most 4)."""
    table, games = _table(4, tag), 200_000
    symmetric = noise.symmetric_policies(table, 0.05)
    generator = torch.Generator().manual_seed(1)
    for level, variance in enumerate(noise.reward_variances(table, symmetric).tolist()):
        actions = torch.multinomial(
            symmetric[level], games * 4, replacement=True, generator=generator
        ).view(games, 4)
        reward = table.sample(
            torch.full((games,), level), actions, torch.rand(games, generator=generator)
        )
        assert float(reward.double().var()) == pytest.approx(
            variance, abs=4 * 2 / games**0.5
        )


@given(st.integers(2, 8), st.floats(0.01, 0.5))
def test_symmetric_policies_balance_reward_and_entropy(
    agents: int, cost: float
) -> None:
    """At every level, E[reward of an agent's action] - cost log pi is equal for all actions."""
    table = _table(agents)
    symmetric = noise.symmetric_policies(table, cost)
    own = symmetric.unsqueeze(1).expand(-1, agents, -1).clone()
    gains = []
    for action in range(10):
        own[:, 0] = torch.eye(10, dtype=torch.float64)[action]
        gains.append(table.expected(JointPolicy.independent(own)))
    level = torch.stack(gains, dim=-1) - cost * symmetric.log()
    assert torch.allclose(
        level, level[:, :1].expand_as(level), rtol=0, atol=1e-5
    )  # the table is in single precision


def test_advantage_deviation_by_sampling() -> None:
    """Generalised advantages of independent rewards with an exact critic, summed by hand."""
    variances = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64)
    rewards = (
        np.random.default_rng(0).normal(size=(400_000, 4)) * variances.sqrt().numpy()
    )
    advantages = np.zeros_like(rewards)
    for t in range(4):
        advantages[:, t] = sum(0.9**k * rewards[:, t + k] for k in range(4 - t))
    assert noise.advantage_deviation(variances, 0.9) == pytest.approx(
        advantages.std(), rel=0.01
    )


@pytest.mark.parametrize("agents", [2, 6, 15, 40])
def test_trap_deviation_reproduces_itself_and_nothing_else_does(agents: int) -> None:
    table = _table(agents)
    sigma = noise.trap_deviation(table, 0.05)
    grid = [10 ** (0.05 * k) for k in range(-50, 31)]
    variances = [
        noise.reward_variances(table, noise.symmetric_policies(table, 0.05 * s))
        for s in grid
    ]
    made = [noise.advantage_deviation(one) for one in variances]
    assert [m > s for m, s in zip(made, grid, strict=True)] == [s < sigma for s in grid]


# Mean field


@pytest.mark.parametrize(
    ("agents", "trapped"), [(3, 0.0), (4, 0.0), (7, 1.0), (10, 1.0)]
)
def test_gradient_ascent_ends_where_stability_says(agents: int, trapped: float) -> None:
    trap = EntropyTrap(agents, 10, 0.05)
    assert trap.is_stable() == bool(trapped)
    assert mean_field.trapped_share(trap, 0.1, teams=16) == trapped


def test_gradient_ascent_ends_in_the_stated_points() -> None:
    generator = torch.Generator().manual_seed(0)
    trapped, free = EntropyTrap(8, 10, 0.05), EntropyTrap(4, 10, 0.05)
    ends = mean_field.climb(
        trapped, mean_field.new_logits(trapped, 4, 0.1, generator)
    ).softmax(-1)[..., 0]
    assert torch.allclose(
        ends, torch.full_like(ends, trapped.symmetric_point()), atol=1e-4
    )
    logits = mean_field.climb(free, mean_field.new_logits(free, 4, 0.1, generator))
    point = free.negotiated_point()
    assert point is not None
    ends = logits.softmax(-1)[..., 0].sort(-1).values
    assert torch.allclose(
        ends[:, 1:], torch.full_like(ends[:, 1:], point[1]), atol=1e-2
    )
    assert (ends[:, 0] < 0.1).all()
    assert torch.equal(
        mean_field.greedy_reward(logits), torch.ones(4, dtype=torch.float64)
    )


def test_resonance_frees_a_trapped_team() -> None:
    """Several agents may step back at once, so not every team becomes the best one."""
    trap = EntropyTrap(8, 10, 0.05)
    generator = torch.Generator().manual_seed(0)
    trapped = mean_field.climb(trap, mean_field.new_logits(trap, 8, 0.1, generator))
    assert (mean_field.greedy_reward(trapped) == 0).all()
    shaken = trapped + mean_field.new_logits(trap, 8, 0.01, generator)
    assert (
        mean_field.greedy_reward(mean_field.climb(trap, shaken, steps=500)) == 0
    ).all()
    freed = mean_field.climb(trap, shaken, eta=0.5, p_min=0.1)
    assert (mean_field.greedy_reward(freed) > 0.5).all()
    assert mean_field.greedy_reward(freed).mean() > 0.9


# Value-based


def test_epsilon_greedy_of_table_3() -> None:
    assert critical_team_size(0.1, 10) == 41
    assert critical_team_size(0.0, 10) is None
    assert critical_team_size(1.0, 2) == 2


@given(st.floats(0.01, 1), st.integers(2, 20))
def test_critical_team_size_by_the_sign_of_the_signal(
    epsilon: float, actions: int
) -> None:
    size = critical_team_size(epsilon, actions)
    assert size is not None
    favourite = epsilon_greedy_probability(epsilon, actions)
    assert trap_signal(size, favourite).difference >= -EXACT
    if size > 2:
        assert trap_signal(size - 1, favourite).difference < EXACT


@given(st.integers(2, 500), st.integers(2, 20))
def test_critical_epsilon_is_where_the_threshold_is_met(
    agents: int, actions: int
) -> None:
    epsilon = critical_epsilon(agents, actions)
    assert 0 < epsilon <= 1 + EXACT
    assert epsilon_greedy_probability(epsilon, actions) == pytest.approx(
        critical_probability(agents)
    )
    share = trapped_share_of_annealing(agents, actions)
    assert 0 <= share <= 1
    if 0 < share < 1:
        assert 1.0 + (0.1 - 1.0) * share == pytest.approx(epsilon)


@given(st.integers(2, 300), st.floats(0.01, 1))
def test_one_in_n_resonances_always_suffices(agents: int, epsilon: float) -> None:
    assert least_eta(agents, epsilon, 10) <= 1 / agents + EXACT


def test_no_sign_change() -> None:
    with pytest.raises(ValueError, match="no sign change"):
        sign_change(lambda x: x, 1.0, 2.0)
    assert sign_change(lambda x: 2 - x, 0.0, 5.0) == pytest.approx(2)


# The predictions


def test_a_prediction_is_made_of_the_parts() -> None:
    row = predict(6)
    assert row.trap == EntropyTrap(6, 10, 0.05, noise.trap_deviation(_table(6), 0.05))
    assert row.trap_signal == trap_signal(6, 0.91)
    assert row.negotiated is not None
    assert row.least_eta_policy == least_dissolving_eta(6, row.trap.symmetric_point())
    assert (row.least_eta_value, predict(60).least_eta_value > 0) == (0.0, True)
    assert [one.agents for one in predictions((3, 4))] == [3, 4]


def _measured(agents: int, reward: float) -> RunResult:
    labels: dict[str, str | int | float] = {
        "task": "1A4B2C",
        "algorithm": PPO_MA,
        "agents": agents,
    }
    return RunResult(
        "fme", labels, 0, (512,), {"exact/C1": (reward,), "exact/C2": (reward,)}
    )


def test_item_sets_measurements_beside_predictions() -> None:
    item = Theory()
    table = item.table([_measured(5, 0.25), _measured(7, 0.75)])
    tables = table.split("\n\n")
    assert [line.split("|")[2].strip() for line in tables[0].splitlines()[2:]] == [
        "6",
        "7",
        "8",
        "41",
    ]
    policy_based = {
        line.split("|")[1].strip(): line for line in tables[1].splitlines()[2:]
    }
    assert set(policy_based) == {"5", "7"}
    assert policy_based["5"].endswith("| yes | yes | 1.00 | 0.142 | 1.00 | 0.25 |")
    assert policy_based["7"].endswith("| 0.00 | 0.75 |")
    assert {one.job.name for one in item.jobs(QUICK, Seeds(1, 1, 1))} == {
        one.job.name for one in Table1().jobs(QUICK, Seeds(1, 1, 1))
    }


def test_item_draws_what_is_measured() -> None:
    drawn = [
        _svg(Theory().draw(results))
        for results in ([], [_measured(5, 0.25)], [_measured(5, 0.75)])
    ]
    assert len(set(drawn)) == 3


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "marl"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
