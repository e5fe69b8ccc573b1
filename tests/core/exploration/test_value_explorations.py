"""Epsilon-greedy and Boltzmann exploration against their definitions, alone and under resonance."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from marl_core.exploration.boltzmann import Boltzmann, BoltzmannConfig
from marl_core.exploration.coupled import CoupledExploration, joint_policy
from marl_core.exploration.epsilon_greedy import EpsilonGreedy, EpsilonGreedyConfig
from marl_core.exploration.schedule import AnnealedConfig
from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.testing.strategies import ScoreBatch, progresses, score_batches
from marl_core.types import Moment, Progress
from marl_pr.coupling import PolicyResonance
from marl_pr.resonance import clamp_acts, corrected_policy, resonate

SHARES = st.floats(0, 1)
NOW = Progress()


def _epsilon_greedy(epsilon: float) -> EpsilonGreedy:
    return EpsilonGreedy(
        EpsilonGreedyConfig(name="epsilon_greedy", start=epsilon, end=epsilon)
    )


def _boltzmann(temperature: float) -> Boltzmann:
    return Boltzmann(
        BoltzmannConfig(name="boltzmann", start=temperature, end=temperature)
    )


def _double(batch: ScoreBatch) -> ScoreBatch:
    return ScoreBatch(batch.scores.double(), batch.legal)


def _rows(batch: ScoreBatch) -> list[tuple[list[float], list[int]]]:
    """The scores of each agent, and which actions are legal."""
    legal = (
        torch.ones_like(batch.scores, dtype=torch.bool)
        if batch.legal is None
        else batch.legal
    )
    pairs = zip(
        batch.scores.flatten(0, 1).tolist(), legal.flatten(0, 1).tolist(), strict=True
    )
    return [
        (scores, [u for u, may in enumerate(mask) if may]) for scores, mask in pairs
    ]


# Schedules


@given(SHARES, SHARES, st.integers(0, 10**6), progresses())
@example(1.0, 0.1, 200_000, Progress(environment_steps=200_000))
@example(1.0, 0.1, 0, Progress(environment_steps=0))
def test_annealing_is_linear_in_environment_steps(
    one: float, other: float, steps: int, progress: Progress
) -> None:
    start, end = max(one, other), min(one, other)
    config = AnnealedConfig(name="any", start=start, end=end, anneal_steps=steps)
    done = min(1.0, progress.environment_steps / steps) if steps else 1.0
    assert config.at(progress) == pytest.approx(
        start * (1 - done) + end * done, abs=1e-12
    )


@pytest.mark.parametrize(
    ("steps", "epsilon"), [(0, 1.0), (50_000, 0.775), (200_000, 0.1), (10**9, 0.1)]
)
def test_epsilon_of_table_3(steps: int, epsilon: float) -> None:
    config = EpsilonGreedyConfig(name="epsilon_greedy")
    # Neither the stage nor the number of episodes has anything to do with it.
    assert config.at(
        Progress(environment_steps=steps, stage=1, stage_episodes=7)
    ) == pytest.approx(epsilon)


@pytest.mark.parametrize("config", [EpsilonGreedyConfig, BoltzmannConfig])
@pytest.mark.parametrize(
    "settings",
    [
        {"start": 0.2, "end": 0.3},
        {"start": -0.1, "end": -0.1},
        {"anneal_steps": -1},
        {"end": 2.0},
    ],
)
def test_settings_out_of_range(
    config: type[AnnealedConfig], settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"end|start|anneal_steps"):
        config(name="any", **settings)


def test_a_temperature_of_zero_is_none() -> None:
    with pytest.raises(ValueError, match="end"):
        BoltzmannConfig(name="boltzmann", end=0.0)


# Epsilon-greedy


@given(score_batches(), SHARES)
def test_epsilon_greedy(batch: ScoreBatch, epsilon: float) -> None:
    """The first of the best has 1 - epsilon + epsilon/n, other legal ones epsilon/n, the rest 0."""
    batch = _double(batch)
    policy = _epsilon_greedy(epsilon).log_policy(batch.scores, batch.legal, NOW).exp()
    for (scores, legal), found in zip(
        _rows(batch), policy.flatten(0, 1).tolist(), strict=True
    ):
        best = next(u for u in legal if scores[u] == max(scores[v] for v in legal))
        for u, probability in enumerate(found):
            if u not in legal:
                assert probability == 0
            else:
                expected = epsilon / len(legal) + (1 - epsilon if u == best else 0)
                assert probability == pytest.approx(expected, abs=1e-12)


def test_the_base_of_eq_20() -> None:
    """Ten actions, epsilon = 0.1: an agent is greedy with probability 0.91."""
    policy = (
        _epsilon_greedy(0.1)
        .log_policy(torch.arange(10.0).view(1, 1, 10), None, NOW)
        .exp()
    )
    assert policy[0, 0].tolist() == pytest.approx([0.01] * 9 + [0.91])


@given(score_batches())
def test_the_policy_has_no_slope(batch: ScoreBatch) -> None:
    scores = batch.scores.clone().requires_grad_()
    log_policy = _epsilon_greedy(0.3).log_policy(scores, batch.legal, NOW)
    assert (
        not log_policy.requires_grad
        or not torch.autograd.grad(log_policy.sum(), scores)[0].any()
    )


@given(score_batches(), SHARES, SHARES)
def test_resonance_over_epsilon_greedy(
    batch: ScoreBatch, epsilon: float, share: float
) -> None:
    """Up to eta = 1 - epsilon + epsilon/n no clamp is needed.

    The team is greedy all at once with probability eta or more.
    """
    batch = _double(batch)
    individual = (
        _epsilon_greedy(epsilon).log_policy(batch.scores, batch.legal, NOW).exp()
    )
    most = max(len(legal) for _, legal in _rows(batch))
    bound = 1 - epsilon + epsilon / most
    eta = torch.tensor(share * min(bound - 1e-9, 0.999), dtype=torch.float64)
    assert not clamp_acts(individual, eta, 0.0).any()
    joint = resonate(individual, eta, p_min=0.0)
    assert torch.allclose(joint.marginal(), individual, rtol=0, atol=1e-9)
    greedy = greedy_actions(individual)
    everybody = (
        joint.components.gather(-1, greedy.expand(2, *greedy.shape).unsqueeze(-1))
        .squeeze(-1)
        .prod(-1)
    )
    probability = (joint.weights @ everybody).tolist()
    for game, found in enumerate(probability):
        independent = math.prod(
            (float(row.max()) - float(eta)) / (1 - float(eta))
            for row in individual[game]
        )
        assert found == pytest.approx(
            float(eta) + (1 - float(eta)) * independent, abs=1e-9
        )
        assert found >= float(eta) - 1e-12


def test_a_little_more_resonance_needs_the_clamp() -> None:
    individual = (
        _epsilon_greedy(0.5)
        .log_policy(torch.arange(4.0, dtype=torch.float64).view(1, 1, 4), None, NOW)
        .exp()
    )
    for eta, acts in ((0.625 - 1e-9, False), (0.625 + 1e-9, True)):
        assert (
            bool(clamp_acts(individual, torch.tensor(eta, dtype=torch.float64), 0.0))
            == acts
        )


def test_resonance_leaves_the_annealing_to_the_individual_policy() -> None:
    """Its own ramp is of the stage's episodes; epsilon still falls with the steps of the run."""
    strategy = CoupledExploration(
        EpsilonGreedy(anneal_steps=100), PolicyResonance(ramp_episodes=10, p_min=0.0)
    )
    scores = torch.arange(4.0, dtype=torch.float64).view(1, 1, 4)
    progress = Progress(environment_steps=50, stage=1, stage_episodes=5)
    weights = strategy.coupling.weights(Moment(progress, torch.device("cpu")))
    law = joint_policy(strategy, scores, None, progress, weights)
    assert isinstance(law, JointPolicy)
    # Here epsilon is 0.55.
    probabilities = [[0.1375, 0.1375, 0.1375, 0.5875]]
    policy = torch.tensor(probabilities, dtype=torch.float64)
    eta = torch.tensor(0.375, dtype=torch.float64)
    assert torch.allclose(law.individual[0], policy)
    assert torch.allclose(law.components[0, 0], corrected_policy(policy, eta, 0.0))


@pytest.mark.parametrize("name", ["epsilon_greedy", "boltzmann"])
def test_policies_of_coarse_scores_are_in_single_precision(name: str) -> None:
    """As a logarithm with three digits would misstate every probability by a percent."""
    strategy = _epsilon_greedy(0.1) if name == "epsilon_greedy" else _boltzmann(0.7)
    scores = torch.tensor([[[0.5, 1.0, -2.0, 0.25]]])
    coarse = strategy.log_policy(scores.bfloat16(), None, NOW)
    assert coarse.dtype == torch.float32
    assert torch.allclose(coarse, strategy.log_policy(scores, None, NOW))


# Boltzmann


@given(score_batches(), st.floats(0.01, 100))
def test_boltzmann(batch: ScoreBatch, temperature: float) -> None:
    batch = _double(batch)
    policy = _boltzmann(temperature).log_policy(batch.scores, batch.legal, NOW).exp()
    for (scores, legal), found in zip(
        _rows(batch), policy.flatten(0, 1).tolist(), strict=True
    ):
        most = max(scores[u] for u in legal)
        weights = {u: math.exp((scores[u] - most) / temperature) for u in legal}
        total = sum(weights.values())
        assert found == pytest.approx(
            [weights.get(u, 0.0) / total for u in range(len(found))], abs=1e-12
        )
        assert all(
            probability == 0 for u, probability in enumerate(found) if u not in legal
        )


@given(score_batches(), st.sampled_from([1e-4, 1e-8, 1e-12, 1e-30]))
def test_cold_boltzmann_is_greedy(batch: ScoreBatch, temperature: float) -> None:
    """All weight is on the best legal actions, in equal parts, at any small temperature."""
    policy = _boltzmann(temperature).log_policy(batch.scores, batch.legal, NOW).exp()
    for (scores, legal), found in zip(
        _rows(batch), policy.flatten(0, 1).tolist(), strict=True
    ):
        most = max(scores[u] for u in legal)
        if any(0 < most - scores[u] < 100 * temperature for u in legal):
            continue  # not yet cold for so small a difference
        best = [u for u in legal if scores[u] == most]
        assert found == pytest.approx(
            [1 / len(best) if u in best else 0.0 for u in range(len(found))], abs=1e-6
        )


@pytest.mark.parametrize("name", ["epsilon_greedy", "boltzmann"])
def test_value_explorations_take_values_alone(name: str) -> None:
    strategy = _epsilon_greedy(0.1) if name == "epsilon_greedy" else _boltzmann(1.0)
    assert strategy.accepts == {"values"}
