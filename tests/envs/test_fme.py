"""FME: its levels (Table 2), observations, rewards and their closed forms (Eq. 2, 5, 19)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.testing.checking import counts_agree
from marl_core.testing.strategies import seeds
from marl_envs.fme import FME, FMEConfig
from marl_envs.fme.rewards import LevelTable
from marl_pr.resonance import corrected_policy, resonate

#: Table 2, transcribed a second time: one level in each row, as the paper prints it.
TABLE_2 = """
1A6B0C 1A5B1C 1A4B2C 1A3B3C 1A2B4C 1A1B5C 1A0B6C
0      0      0      0      0      0      0
4-5-6  4-5-6  5-6-7  5-6-7  5-6-7  5-6-7  0
5-6-7  5-6-7  6-7-8  6-7-8  6-7-8  0      1
6-7-8  6-7-8  7-8-9  7-8-9  0      1      2
7-8-9  7-8-9  8-9-5  0      1      2      3
8-9-0  8-9-5  1      1      2      3      4
9-0-1  0      0      2      3      4      5
"""
TAGS, *ROWS = (line.split() for line in TABLE_2.strip().splitlines())


def _config(**fields: Any) -> FMEConfig:
    return FMEConfig(name="fme", **{"agents": 3, **fields})


def _environment(config: FMEConfig, games: int = 1, seed: int = 0) -> FME:
    return FME(
        config, games=games, device="cpu", generator=torch.Generator().manual_seed(seed)
    )


def _actions_of(config: FMEConfig) -> list[tuple[int, ...]]:
    return [
        level.arms if level.kind == "B" else (level.action,)
        for level in config.resolved_levels()
    ]


def _kinds_of(config: FMEConfig) -> str:
    return "".join(level.kind for level in config.resolved_levels())


# Levels


@pytest.mark.parametrize("tag", TAGS)
def test_table_2(tag: str) -> None:
    column = [row[TAGS.index(tag)] for row in ROWS]
    config = _config(tag=tag)
    assert _actions_of(config) == [tuple(map(int, cell.split("-"))) for cell in column]
    assert _kinds_of(config) == "A" + "B" * int(tag[2]) + "C" * int(tag[4])
    for level in config.resolved_levels():
        if level.kind == "B":
            assert level.probabilities == (0.5, 0.4, 0.1)


@pytest.mark.parametrize(
    ("tag", "actions", "expected"),
    [
        ("0A0B1C", 10, [(0,)]),
        ("2A1B0C", 10, [(0,), (1,), (5, 6, 7)]),
        (
            "3A2B5C",
            10,
            [(0,), (1,), (2,), (5, 6, 7), (6, 7, 8), (0,), (1,), (2,), (3,), (4,)],
        ),
        ("0A4B0C", 10, [(5, 6, 7), (6, 7, 8), (7, 8, 9), (8, 9, 0)]),
        ("0A1B4C", 3, [(2, 0, 1), (0,), (1,), (2,), (0,)]),
        ("1A4B2C", 5, [(0,), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 0), (0,), (1,)]),
    ],
)
def test_the_rule_for_other_tags(
    tag: str, actions: int, expected: list[tuple[int, ...]]
) -> None:
    assert _actions_of(_config(tag=tag, actions=actions)) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tag": "0A0B0C"}, "no level"),
        ({"tag": "1A4B"}, "not of the form"),
        ({"tag": "1a4b2c"}, "not of the form"),
        ({"tag": "0A1B0C", "actions": 2}, "at least 3 actions"),
        ({"tag": "0A0B1C", "agents": 1}, "at least 2 agents"),
        ({}, "either"),
        ({"tag": "1A0B0C", "levels": [{"kind": "A", "action": 0}]}, "either"),
        ({"levels": [{"kind": "A", "action": 10}]}, "action 10"),
        ({"levels": [{"kind": "B", "arms": [1, 2, 10]}]}, "action 10"),
        ({"levels": [{"kind": "B", "arms": [1, 1, 2]}]}, "different arms"),
        (
            {"levels": [{"kind": "B", "arms": [1, 2], "probabilities": [0.5, 0.4]}]},
            "sum to 0.9",
        ),
    ],
)
def test_impossible_levels(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _config(**fields)


def test_levels_one_by_one() -> None:
    levels = [
        {"kind": "C", "action": 3},
        {"kind": "B", "arms": [2, 0], "probabilities": [0.2, 0.8]},
        {"kind": "A", "action": 1},
    ]
    config = _config(levels=levels, actions=4)
    spec = _environment(config).spec
    assert _actions_of(config) == [(3,), (2, 0), (1,)]
    assert [(level.name, level.kind) for level in spec.levels] == [
        ("C1", "C"),
        ("B1", "B"),
        ("A1", "A"),
    ]
    assert (spec.max_steps, spec.actions, spec.table_rows) == (3, 4, 3)


def test_names_of_levels() -> None:
    spec = _environment(_config(tag="1A4B2C")).spec
    assert [level.name for level in spec.levels] == [
        "A1",
        "B1",
        "B2",
        "B3",
        "B4",
        "C1",
        "C2",
    ]


# Observations and episodes


@given(
    st.integers(2, 40),
    st.integers(3, 12),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(1, 3),
)
@settings(max_examples=25)
def test_any_team_any_number_of_actions(
    agents: int, actions: int, a: int, b: int, c: int
) -> None:
    environment = _environment(
        _config(agents=agents, actions=actions, tag=f"{a}A{b}B{c}C"), games=2
    )
    seen, levels = environment.reset(), a + b + c
    for t in range(levels):
        assert seen.row is not None
        assert (seen.row == t).all()
        result = environment.step(torch.zeros(2, agents, dtype=torch.int64))
        assert (result.terminated == (t == levels - 1)).all()
        assert not result.truncated.any()
        seen = result.observation


def test_agents_see_the_level_and_who_they_are() -> None:
    """The level index 0..6 with mean 3 and variance 4, normalised, and then the identity."""
    features = _environment(
        _config(agents=4, tag="1A4B2C")
    ).distinct_observations.features
    assert features is not None
    assert features.shape == (7, 4, 5)
    assert (
        features[..., 0].T.tolist()
        == [pytest.approx([-1.5, -1, -0.5, 0, 0.5, 1, 1.5])] * 4
    )
    assert torch.equal(features[..., 1:], torch.eye(4).expand(7, 4, 4))


def test_agents_see_the_level_one_hot() -> None:
    features = _environment(
        _config(agents=4, tag="1A4B2C", level_index="one_hot")
    ).distinct_observations.features
    assert features is not None
    assert torch.equal(features[..., :7], torch.eye(7).unsqueeze(1).expand(7, 4, 7))
    assert torch.equal(features[..., 7:], torch.eye(4).expand(7, 4, 4))


def test_the_index_of_a_single_level_is_zero() -> None:
    features = _environment(_config(tag="0A0B1C")).distinct_observations.features
    assert features is not None
    assert (features[..., 0] == 0).all()


# Sampled rewards


def _rewards(level: dict[str, Any], actions: list[int], games: int = 1) -> Tensor:
    """The reward of a team that takes these actions, in each game of one level."""
    environment = _environment(_config(agents=len(actions), levels=[level]), games)
    environment.reset()
    return environment.step(torch.tensor([actions] * games)).team_reward


@pytest.mark.parametrize("count", range(6))
def test_lv_a_pays_the_share_of_the_team(count: int) -> None:
    rewards = _rewards({"kind": "A", "action": 2}, [2] * count + [1] * (5 - count))
    assert rewards.tolist() == pytest.approx([count / 5])


@pytest.mark.parametrize(
    ("count", "reward"), [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0), (5, 0.0)]
)
def test_lv_c_collapses_under_the_whole_team(count: int, reward: float) -> None:
    """Eq. 2 for N = 5."""
    rewards = _rewards({"kind": "C", "action": 0}, [0] * count + [7] * (5 - count))
    assert rewards.tolist() == pytest.approx([reward])


@pytest.mark.parametrize(
    ("arm", "probability"), [(8, 0.5), (9, 0.4), (5, 0.1), (0, 0.0)]
)
def test_lv_b_draws_an_arm(arm: int, probability: float) -> None:
    """c_beta = 1/0.5 = 2: three of four agents on the drawn arm earn 1.5.

    The fourth agent is never on an arm.
    """
    games = 20_000
    rewards = _rewards({"kind": "B", "arms": [8, 9, 5]}, [arm] * 3 + [1], games)
    paid = rewards == 1.5
    assert torch.equal(rewards, 1.5 * paid)
    assert (
        counts_agree([float(paid.sum())], [games * probability], least=0)
        if probability
        else not paid.any()
    )


@pytest.mark.parametrize(
    ("number", "arm"),
    [(0.0, 5), (0.09, 5), (0.11, 8), (0.59, 8), (0.61, 9), (1 - 2**-24, 9)],
)
def test_lv_b_by_inversion(number: float, arm: int) -> None:
    """Arms are drawn in the order of their numbers: 5 below 0.1, 8 below 0.6, and 9 up to 1."""
    table = LevelTable.build(
        _config(levels=[{"kind": "B", "arms": [8, 9, 5]}]).resolved_levels(),
        10,
        10,
        "cpu",
    )
    everyone_elsewhere = torch.arange(10).unsqueeze(0)
    reward = table.sample(torch.tensor([0]), everyone_elsewhere, torch.tensor([number]))
    assert reward.tolist() == pytest.approx([0.2])
    rewards = table.sample(
        torch.tensor([0]), torch.full((1, 10), arm), torch.tensor([number])
    )
    assert rewards.tolist() == pytest.approx([2.0])


def test_c_beta_scales_to_the_best_arm() -> None:
    """c_beta = 1/max p = 1/0.8."""
    rewards = _rewards(
        {"kind": "B", "arms": [1, 2], "probabilities": [0.2, 0.8]},
        [2, 2, 2, 2],
        games=500,
    )
    assert set(rewards.tolist()) == {0.0, 1.25}


def test_arms_are_drawn_for_each_game_and_the_team_together() -> None:
    """One arm for the whole team: two agents on two arms never both earn."""
    rewards = _rewards({"kind": "B", "arms": [8, 9, 5]}, [8, 9], games=2000)
    assert set(rewards.tolist()) == {0.0, 1.0}


# Expected rewards


def _expected(level: dict[str, Any], policy: Tensor) -> float:
    """The closed form of one level for the agents' policies ``[N, A]``."""
    environment = _environment(
        _config(agents=len(policy), actions=policy.shape[1], levels=[level])
    )
    return float(
        environment.expected_rewards(JointPolicy.independent(policy.unsqueeze(0)))
    )


def _lv_c(probabilities: list[float]) -> float:
    chosen = torch.tensor(probabilities, dtype=torch.float64)
    return _expected({"kind": "C", "action": 0}, torch.stack([chosen, 1 - chosen], -1))


@pytest.mark.parametrize(
    ("probabilities", "reward"),
    [
        ([0.2, 0.5, 0.8], 0.63),  # (1.5 - 3 * 0.08)/2
        ([0.5] * 15, 0.5356815883),  # (7.5 - 15/2^15)/14
        ([0.9] * 15, 0.7436880730),  # (13.5 - 15 * 0.9^15)/14, 0.9^15 = 0.2058911321
        ([1.0] * 15, 0.0),
        ([1.0] * 14 + [0.0], 1.0),
        ([0.1] * 15, 1.5 / 14),  # the penalty's probability, 10^-15, cannot be seen
    ],
)
def test_eq_5_by_hand(probabilities: list[float], reward: float) -> None:
    assert _lv_c(probabilities) == pytest.approx(
        reward, abs=1e-7
    )  # the pay 1/(N-1) is kept in single precision


@pytest.mark.parametrize(("probability", "sign"), [(0.82, 1), (0.83, -1)])
def test_eq_10_where_responsibility_begins_to_pay(
    probability: float, sign: int
) -> None:
    """For N = 15 an agent gains by its own pi(gamma) until the others' pass 15^(-1/14) = 0.824."""
    own = [_lv_c([own, *[probability] * 14]) for own in (0.4, 0.6)]
    assert (own[1] - own[0]) * sign > 0


def test_eq_19_by_hand() -> None:
    """c_beta sum_k p(k) mean_i pi_i(k) = 2 (0.5 * 0.6 + 0.4 * 0.25 + 0.1 * 0.05) = 0.81."""
    policy = torch.tensor(
        [[0.8, 0.2, 0.0, 0.0], [0.4, 0.3, 0.1, 0.2]], dtype=torch.float64
    )
    assert _expected({"kind": "B", "arms": [0, 1, 2]}, policy) == pytest.approx(0.81)


def _eq_2(gamma: int) -> Callable[[tuple[int, ...]], float]:
    return lambda team: (
        0.0 if team.count(gamma) == len(team) else team.count(gamma) / (len(team) - 1)
    )


REWARDS: list[tuple[dict[str, Any], Callable[[tuple[int, ...]], float]]] = [
    ({"kind": "A", "action": 1}, lambda team: team.count(1) / len(team)),
    (
        {"kind": "B", "arms": [2, 0, 1]},
        lambda team: sum(
            2 * p * team.count(k) / len(team) for p, k in ((0.5, 2), (0.4, 0), (0.1, 1))
        ),
    ),
    ({"kind": "C", "action": 2}, _eq_2(2)),
]


def _policies(agents: int, actions: int, seed: int) -> Tensor:
    scores = 2 * torch.randn(
        agents,
        actions,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    return scores.softmax(-1)


@pytest.mark.parametrize(("level", "reward"), REWARDS, ids="ABC")
@given(agents=st.integers(2, 4), seed=seeds())
@settings(max_examples=15)
def test_expected_rewards_by_enumeration(
    level: dict[str, Any],
    reward: Callable[[tuple[int, ...]], float],
    agents: int,
    seed: int,
) -> None:
    """The sum over all joint actions of probability times reward."""
    policy = _policies(agents, 3, seed)
    by_definition = 0.0
    for team in product(range(3), repeat=agents):
        probability = float(
            torch.stack([policy[i, u] for i, u in enumerate(team)]).prod()
        )
        by_definition += probability * reward(team)
    assert _expected(level, policy) == pytest.approx(by_definition, abs=1e-6)


@pytest.mark.parametrize("eta", [0.0, 0.3, 0.75])
@given(seed=seeds())
@settings(max_examples=10)
def test_expected_rewards_under_resonance(eta: float, seed: int) -> None:
    """The mixture, by eta, of the greedy reward and the closed form at the corrected policies."""
    config = _config(agents=4, actions=6, tag="1A2B3C")
    environment, weight = _environment(config), torch.tensor(eta, dtype=torch.float64)
    policy = _policies(6 * 4, 6, seed).view(6, 4, 6)
    mixed = environment.expected_rewards(resonate(policy, weight, p_min=0.1))
    greedy = environment.expected_rewards(
        JointPolicy.deterministic(greedy_actions(policy), 6)
    )
    corrected = environment.expected_rewards(
        JointPolicy.independent(corrected_policy(policy, weight, 0.1))
    )
    assert torch.allclose(
        mixed, eta * greedy + (1 - eta) * corrected, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("tag", TAGS)
def test_the_optimal_team_earns_one_at_each_level(tag: str) -> None:
    """E[R|pi*] = 7 (Table 2): all on the best arm; at Lv-C all but one."""
    config = _config(agents=30, tag=tag)
    best = (
        torch.tensor([actions[0] for actions in _actions_of(config)])
        .unsqueeze(-1)
        .repeat(1, 30)
    )
    for level, kind in enumerate(_kinds_of(config)):
        if kind == "C":
            best[level, 0] = (best[level, 0] + 1) % 10
    rewards = _environment(config).expected_rewards(JointPolicy.deterministic(best, 10))
    assert rewards.tolist() == pytest.approx([1.0] * 7)
