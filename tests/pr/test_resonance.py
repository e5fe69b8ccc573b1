"""Policy resonance, Eq. 11-18, for all policies.

Tolerances: policies are in single precision (unit roundoff 6e-8). A row's sum over at most 12
actions, and so the greedy probability and the rest, are good to 1e-6; the marginal multiplies by
1 - eta what the correction divided by it, so its error is of the same size. Exact values of Eq. 18
are compared in double precision.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.base_config import ExplorationConfig
from marl_core.collection.collector import Collector
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.joint_policy import draw_components, greedy_actions
from marl_core.observation_table import DistinctObservations
from marl_core.runs.assembly import build_exploration, prepare_host
from marl_core.testing.checking import counts_agree
from marl_core.testing.strategies import ScoreBatch, policies, progresses, score_batches
from marl_core.types import EnvironmentSpec, Moment, Progress, Rollout
from marl_envs.fme import FME, FMEConfig
from marl_pr.coupling import PolicyResonance, PolicyResonanceConfig
from marl_pr.resonance import RESONATED, clamp_acts, corrected_policy, resonate
from marl_pr.schedule import resonance_probability

SINGLE, DOUBLE = 2e-6, 1e-9
ETAS = st.floats(0, 0.999)
SHARES = st.floats(0, 1)


def _eta(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=like.dtype)


def _double(batch: ScoreBatch) -> Tensor:
    return ScoreBatch(batch.scores.double(), batch.legal).policy()


# Eq. 16 and 17


@given(policies(), SHARES)
def test_every_agent_keeps_its_frequencies(individual: Tensor, share: float) -> None:
    """Eq. 16 for every policy and every eta up to the least max pi of the team.

    With p_min = 0 no clamp is active there.
    """
    eta = share * min(0.999, float(individual.amax(-1).min()))
    joint = resonate(individual, _eta(eta, individual), p_min=0.0)
    assert torch.allclose(joint.marginal(), individual, rtol=0, atol=SINGLE)


@given(policies(), ETAS, st.floats(0, 0.9))
def test_off_the_clamp_every_agent_keeps_its_frequencies(
    individual: Tensor, eta: float, p_min: float
) -> None:
    """Eq. 16 holds agent by agent: a clamped policy does not spoil it for the other agents."""
    joint = resonate(individual, _eta(eta, individual), p_min)
    kept = ~clamp_acts(individual, _eta(eta, individual), p_min)
    assert torch.allclose(joint.marginal()[kept], individual[kept], rtol=0, atol=SINGLE)


@given(policies(), ETAS, st.floats(0.01, 0.9))
def test_on_the_clamp_greedy_actions_become_more_frequent(
    individual: Tensor, eta: float, p_min: float
) -> None:
    """There the greedy action's frequency is eta + (1 - eta) p_min, which is more than pi*."""
    joint = resonate(individual, _eta(eta, individual), p_min)
    clamped = clamp_acts(individual, _eta(eta, individual), p_min)
    greedy = greedy_actions(individual).unsqueeze(-1)
    frequency = joint.marginal().gather(-1, greedy).squeeze(-1)[clamped]
    assert torch.allclose(
        frequency,
        torch.full_like(frequency, eta + (1 - eta) * p_min),
        rtol=0,
        atol=SINGLE,
    )
    assert (frequency > individual.amax(-1)[clamped] - SINGLE).all()


# Eq. 18, its exact values


def _eq_18(row: list[float], eta: float, p_min: float) -> list[float]:
    """Eq. 18 as it is printed, for one agent."""
    star = row.index(max(row))
    greedy = max(p_min, (row[star] - eta) / (1 - eta))
    return [
        greedy if u == star else row[u] * ((1 - greedy) / (1 - row[star]))
        for u in range(len(row))
    ]


@given(score_batches(), st.floats(0.001, 0.999), st.floats(0, 0.9))
def test_eq_18(batch: ScoreBatch, eta: float, p_min: float) -> None:
    individual = _double(batch)
    corrected = corrected_policy(individual, _eta(eta, individual), p_min)
    for row, found in zip(
        individual.flatten(0, 1), corrected.flatten(0, 1), strict=True
    ):
        if (
            float(row.max()) < 1 - 1e-6
        ):  # nearer to 1, the printed formula itself loses its digits
            assert found.tolist() == pytest.approx(
                _eq_18(row.tolist(), eta, p_min), abs=DOUBLE
            )


@given(score_batches(), st.floats(0.001, 0.999), st.floats(0, 0.9))
def test_the_clamp_acts_where_eq_18_departs_from_eq_17(
    batch: ScoreBatch, eta: float, p_min: float
) -> None:
    individual = _double(batch)
    acts = clamp_acts(individual, _eta(eta, individual), p_min)
    for row, found in zip(
        individual.flatten(0, 1).tolist(), acts.flatten().tolist(), strict=True
    ):
        unclamped = (max(row) - eta) / (1 - eta)
        assume(abs(unclamped - p_min) > DOUBLE)
        assert found == (max(row) < 1 and p_min > unclamped)


@pytest.mark.parametrize(
    ("eta", "p_min", "expected"),
    [
        (
            0.5,
            0.1,
            [0.4, 0.4, 0.2],
        ),  # (0.7 - 0.5)/0.5; the others times (1 - 0.4)/(1 - 0.7) = 2
        (
            0.75,
            0.1,
            [0.1, 0.6, 0.3],
        ),  # (0.7 - 0.75)/0.25 < 0.1; the others times 0.9/0.3 = 3
        (
            0.7,
            0.0,
            [0.0, 2 / 3, 1 / 3],
        ),  # eta = pi*: not resonated, the greedy action is never taken
        (0.1, 0.0, [2 / 3, 2 / 9, 1 / 9]),
    ],
)
def test_eq_18_by_hand(eta: float, p_min: float, expected: list[float]) -> None:
    individual = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    assert corrected_policy(individual, _eta(eta, individual), p_min)[
        0
    ].tolist() == pytest.approx(expected)


def test_at_most_as_greedy_as_the_paper_says_with_ten_equal_actions() -> None:
    """n_k = 10, eta <= 1/n_k needs no clamp (below Eq. 17); a little more does."""
    individual = torch.full((1, 10), 0.1, dtype=torch.float64)
    assert not clamp_acts(individual, _eta(0.1 - 1e-9, individual), 0.0).any()
    assert clamp_acts(individual, _eta(0.1 + 1e-9, individual), 0.0).all()


# Corner cases


@given(policies(), st.floats(0, 0.9))
def test_without_resonance_nothing_changes(individual: Tensor, p_min: float) -> None:
    joint = resonate(individual, torch.tensor(0.0), p_min)
    assert torch.equal(joint.components[0], individual)
    assert joint.weights.tolist() == [1.0, 0.0]


@given(policies(), ETAS, st.floats(0, 0.9))
def test_who_never_explores_is_not_made_to(
    individual: Tensor, eta: float, p_min: float
) -> None:
    """pi* = 1, as with one legal action: the corrected policy is the same, whatever p_min."""
    certain = individual.amax(-1) >= 1
    corrected = corrected_policy(individual, _eta(eta, individual), p_min)
    assert torch.equal(
        corrected[certain].argmax(-1), greedy_actions(individual)[certain]
    )
    assert (corrected[certain].amax(-1) == 1).all()


@pytest.mark.parametrize(
    "row", [[1 - 2**-24, 0.0, 0.0], [1 + 2**-23, 0.0, 0.0], [1 + 2**-23, 1e-12, 0.0]]
)
def test_rounding_is_not_blown_up(row: list[float]) -> None:
    """A policy that is certain but for rounding, divided by 1 - eta = 0.001, is still a policy."""
    individual = torch.tensor([row])
    corrected = corrected_policy(individual, _eta(0.999, individual), p_min=0.1)
    assert corrected.tolist() == [[1.0, 0.0, 0.0]]


@given(score_batches(), ETAS, st.floats(0, 0.9))
def test_illegal_actions_stay_impossible(
    batch: ScoreBatch, eta: float, p_min: float
) -> None:
    assume(batch.legal is not None)
    assert batch.legal is not None
    individual = batch.policy()
    components = resonate(individual, _eta(eta, individual), p_min).components
    assert (components[:, ~batch.legal] == 0).all()
    assert components.isfinite().all()


@pytest.mark.parametrize(
    ("row", "greedy"),
    [([0.4, 0.4, 0.2], 0), ([0.2, 0.4, 0.4], 1), ([0.0, 0.5, 0.5], 1), ([0.25] * 4, 0)],
)
def test_of_equal_actions_the_first_is_the_teams(row: list[float], greedy: int) -> None:
    joint = resonate(torch.tensor([row, row]), torch.tensor(0.2), p_min=0.0)
    assert joint.components[RESONATED].argmax(-1).tolist() == [greedy, greedy]
    assert joint.components[RESONATED].sum(-1).tolist() == [1.0, 1.0]


# Eq. 14, 15: all at once


@given(score_batches(games=(1, 1), agents=(2, 8)), st.floats(0.05, 0.95))
def test_resonated_the_whole_team_is_greedy_at_once(
    batch: ScoreBatch, eta: float
) -> None:
    individual, games = batch.policy(), 2000
    joint = resonate(individual, _eta(eta, individual), p_min=0.1)
    generator = torch.Generator().manual_seed(0)
    component = draw_components(joint.weights, games, generator)
    nowhere_else = torch.zeros(games, individual.shape[1], dtype=torch.int64)
    actions = joint.sampler().draw(component, generator, nowhere_else)
    resonated = component == RESONATED
    assert (actions[resonated] == greedy_actions(individual)).all()
    assert counts_agree(
        torch.bincount(component, minlength=2).tolist(),
        [games * (1 - eta), games * eta],
    )


def test_the_whole_team_is_greedy_at_least_eta_often() -> None:
    """40 agents with pi* = 0.8 are greedy together with probability 0.8^40 = 1/7500.

    Under resonance it is more than eta.
    """
    individual = torch.tensor([0.8, 0.1, 0.1]).expand(1, 40, 3)
    joint = resonate(individual, torch.tensor(0.75), p_min=0.1)
    probability = joint.weights @ joint.components[:, 0, :, 0].prod(-1)
    assert float(probability) == pytest.approx(0.75 + 0.25 * 0.2**40)
    assert torch.allclose(joint.marginal(), individual, rtol=0, atol=SINGLE)


# The schedule


@pytest.mark.parametrize(
    ("episodes", "eta"),
    [
        (0, 0.0),
        (1, 0.000015),
        (25_000, 0.375),
        (50_000, 0.75),
        (50_001, 0.75),
        (10**9, 0.75),
    ],
)
def test_eta_rises_linearly_and_is_held(episodes: int, eta: float) -> None:
    assert resonance_probability(episodes, 0.75, 50_000) == pytest.approx(eta)


def test_without_a_ramp_eta_is_there_at_once() -> None:
    assert resonance_probability(0, 0.75, 0) == 0.75


@given(progresses())
@example(
    Progress(
        episodes=10**9,
        stage=1,
        stage_episodes=0,
        environment_steps=10**9,
        updates=10**9,
    )
)
def test_eta_depends_on_the_episodes_of_the_stage_alone(progress: Progress) -> None:
    coupling = PolicyResonance(ramp_episodes=1000)
    weights = coupling.weights(Moment(progress, torch.device("cpu")))
    expected = 0.75 * min(1.0, progress.stage_episodes / 1000)
    assert weights.tolist() == pytest.approx([1 - expected, expected])


# The coupling in play


def _strategy(**settings: Any) -> CoupledExploration:
    individual = EntropySampling(coefficient=0.03)
    return CoupledExploration(individual, PolicyResonance(**settings))


def _collected(games: int, **settings: Any) -> Rollout:
    make = partial(torch.Generator().manual_seed)
    config = FMEConfig(name="fme", agents=4, tag="1A4B2C")
    environment = FME(config, games=games, device="cpu", generator=make(0))
    host = PPOMA(
        PPOMAConfig(name="ppo_ma"), environment.spec, torch.Generator().manual_seed(1)
    )
    collector = Collector(environment, torch.Generator().manual_seed(2))
    return collector.collect(
        host, _strategy(eta_max=0.5, ramp_episodes=0, **settings), Progress()
    )


def test_episode_level_the_coin_holds_for_the_episode() -> None:
    component = _collected(4000, level="episode").component
    assert (component == component[0]).all()
    assert counts_agree(
        torch.bincount(component[0], minlength=2).tolist(), [2000, 2000]
    )


def test_step_level_the_coin_is_tossed_anew() -> None:
    """Seven tosses of a fair coin: all 128 courses are equally frequent."""
    component = _collected(12_800, level="step").component
    course = (component * 2 ** torch.arange(7).unsqueeze(-1)).sum(0)
    assert counts_agree(torch.bincount(course, minlength=128).tolist(), [100.0] * 128)


@pytest.mark.parametrize("level", ["episode", "step"])
def test_in_play_a_resonated_team_is_greedy(level: str) -> None:
    rollout = _collected(200, level=level)
    host = PPOMA(
        PPOMAConfig(name="ppo_ma"),
        FME(
            FMEConfig(name="fme", agents=4, tag="1A4B2C"),
            games=1,
            device="cpu",
            generator=torch.Generator(),
        ).spec,
        torch.Generator().manual_seed(1),
    )
    assert rollout.table is not None
    scores, _ = host.scores(rollout.table, {})
    greedy = DistinctObservations(rollout).at_steps(greedy_actions(scores))
    resonated = rollout.component == RESONATED
    assert resonated.any()
    assert torch.equal(rollout.actions[resonated], greedy[resonated])
    assert (rollout.actions[~resonated] != greedy[~resonated]).any()


def test_the_individual_policy_and_its_bonus_stay_as_they_are() -> None:
    """Of a config, too, the individual policy is the one that it names."""
    config = PolicyResonanceConfig(individual=EntropySampling(coefficient=0.03).config)
    built = build_exploration(config, EnvironmentSpec(3, 4, 1))
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 4, generator=generator)
    for strategy in (_strategy(), built):
        assert isinstance(strategy.coupling, PolicyResonance)
        policy = strategy.individual
        assert policy.entropy_coefficient(Progress()) == 0.03
        log_policy = policy.log_policy(scores, None, Progress())
        assert torch.equal(log_policy, scores.log_softmax(-1))
        weights = strategy.coupling.weights(Moment(Progress(), torch.device("cpu")))
        law = strategy.coupling.law(log_policy.exp(), weights, Progress())
        assert torch.equal(law.individual, log_policy.exp())


def test_something_must_be_coupled() -> None:
    with pytest.raises(UserError, match="individual"):
        build_exploration(PolicyResonanceConfig(), EnvironmentSpec(3, 4, 1))


@pytest.mark.parametrize(
    "settings",
    [{"eta_max": 1.0}, {"eta_max": -0.1}, {"p_min": 1.0}, {"ramp_episodes": -1}],
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        PolicyResonanceConfig(
            name="policy_resonance", individual=ExplorationConfig(name="x"), **settings
        )


@pytest.mark.parametrize("variant", ["pr", "pr_fast"])
def test_pr_fast_freezes_the_body_and_gives_everybody_a_head(variant: str) -> None:
    config = FMEConfig(name="fme", agents=4, tag="1A4B2C")
    spec = FME(config, games=1, device="cpu", generator=torch.Generator()).spec
    host = PPOMA(PPOMAConfig(name="ppo_ma"), spec, torch.Generator().manual_seed(1))
    before = sum(p.numel() for p in host.head.parameters())
    prepare_host(host, _strategy(variant=variant), ())
    fast = variant == "pr_fast"
    assert all(p.requires_grad != fast for p in host.body.parameters())
    assert all(
        p.requires_grad for p in (*host.head.parameters(), *host.critic.parameters())
    )
    assert (sum(p.numel() for p in host.head.parameters()) > 3 * before) == fast
