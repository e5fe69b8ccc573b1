"""Signals: conditional means, their errors, and the rewards to go."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_pr.diagnosis.deviators import crowd_of, rarely_alone_from, shares_of_counts
from marl_pr.diagnosis.games import Games, ToGo
from marl_pr.diagnosis.later import without_later_deviations
from marl_pr.diagnosis.lone import deviation_probability
from marl_pr.diagnosis.signal import FEWEST, signal_of, student_quantile


def some_games(seed: int, steps: int, episodes: int, agents: int) -> Games:
    """Games of differing lengths with deaths; deviations and rewards at random."""
    random = torch.Generator().manual_seed(seed)
    length = torch.randint(1, steps + 1, (episodes,), generator=random)
    valid = torch.arange(steps).unsqueeze(-1) < length
    alive = torch.rand(steps, episodes, agents, generator=random) < 0.9
    acting = alive & valid.unsqueeze(-1)
    deviates = torch.rand(steps, episodes, agents, generator=random) < 0.4
    reward = torch.randn(steps, episodes, generator=random).double() * valid
    component = torch.randint(2, (steps, episodes), generator=random)
    return Games(deviates & acting, acting, reward, valid, component)


SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(1, 5), st.floats(0, 1), st.none() | st.integers(1, 6))
def test_rewards_to_go(
    seed: int, steps: int, discount: float, horizon: int | None
) -> None:
    games = some_games(seed, steps, 3, 2)
    found = ToGo(discount, horizon).of(games.reward)
    for t in range(steps):
        end = steps if horizon is None else min(steps, t + horizon)
        terms = [discount ** (s - t) * games.reward[s] for s in range(t, end)]
        torch.testing.assert_close(found[t], torch.stack(terms).sum(0))


@given(SEEDS)
def test_at_a_single_step_the_signal_is_a_difference_of_means(seed: int) -> None:
    games = some_games(seed, 1, 200, 3)
    outcome = ToGo().of(games.reward)
    signal = signal_of(games, outcome, games.valid.unsqueeze(0))
    for agent in range(3):
        acting, deviates = games.acting[0, :, agent], games.deviates[0, :, agent]
        one, other = outcome[0, acting & deviates], outcome[0, acting & ~deviates]
        assert signal.mean[0, agent].item() == pytest.approx(
            float(one.mean() - other.mean())
        )
        usual = (one.var() / len(one) + other.var() / len(other)).sqrt()
        assert signal.error[0, agent].item() == pytest.approx(float(usual), rel=0.02)
        assert signal.deviating[0, agent] == len(one)
        assert signal.staying[0, agent] == len(other)


@given(SEEDS, st.floats(-5, 5))
def test_what_all_games_have_in_common_at_a_step_makes_no_difference(
    seed: int, shift: float
) -> None:
    games = some_games(seed, 4, 120, 2)
    outcome = ToGo().of(games.reward)
    moved = outcome + shift * torch.arange(4).unsqueeze(-1)
    windows = games.valid.unsqueeze(0)
    before, after = (signal_of(games, one, windows) for one in (outcome, moved))
    torch.testing.assert_close(before.mean, after.mean)
    torch.testing.assert_close(before.error, after.error)


def test_errors_are_those_of_whole_games() -> None:
    """A game's steps say the same again and again: many steps are worth no more than one."""
    one = some_games(0, 1, 400, 2)
    many = Games(
        one.deviates.repeat(6, 1, 1),
        one.acting.repeat(6, 1, 1),
        one.reward.repeat(6, 1),
        one.valid.repeat(6, 1),
        one.component.repeat(6, 1),
    )
    short, long = (
        signal_of(games, games.reward, games.valid.unsqueeze(0))
        for games in (one, many)
    )
    torch.testing.assert_close(short.error, long.error)


def test_too_few_say_nothing() -> None:
    games = some_games(0, 1, 400, 1)
    few = games.deviates & (games.deviates.cumsum(1) < FEWEST)
    rare = replace(games, deviates=few)
    found = signal_of(rare, rare.reward, rare.valid.unsqueeze(0))
    assert found.error.item() == float("inf")
    low, high = found.interval()
    assert (low.item(), high.item()) == (-float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("tail", "freedom", "expected"),
    [(0.025, 19, 2.0930), (0.0005, 29, 3.6594), (0.025, 1e9, 1.9600)],
)
def test_quantiles_of_student(tail: float, freedom: float, expected: float) -> None:
    found = student_quantile(tail, torch.tensor(freedom, dtype=torch.float64))
    assert found.item() == pytest.approx(expected, rel=2e-3)


def test_later_draws_are_taken_out_and_nothing_else() -> None:
    """A reward that only later draws decide is explained away; the last step keeps its own."""
    random = torch.Generator().manual_seed(0)
    games = some_games(0, 2, 4000, 4)
    some = torch.rand(2, 4000, generator=random) < deviation_probability(4)
    valid = torch.ones(2, 4000, dtype=torch.bool)
    reward = torch.stack([torch.zeros(4000), some[1] * 3.0]).double()
    lone = replace(games, component=some.long(), valid=valid, reward=reward)
    found = without_later_deviations(lone, ToGo(discount=1.0))
    torch.testing.assert_close(found[1], reward[1])
    assert found[0].std() < 0.01 * reward[1].std()
    assert found[0].mean().item() == pytest.approx(
        3 * deviation_probability(4), abs=1e-3
    )


@given(SEEDS)
def test_counts_and_being_alone(seed: int) -> None:
    games = some_games(seed, 3, 50, 3)
    shares = shares_of_counts(games)
    assert sum(share.mean for share in shares) == pytest.approx(1)
    crowd = crowd_of(games, actions=4)
    alone = total = 0
    for acting, deviates in zip(
        games.acting.flatten(0, 1), games.deviates.flatten(0, 1), strict=True
    ):
        for agent in range(3):
            others = int(deviates.sum()) - int(deviates[agent])
            total += int(acting[agent])
            alone += int(acting[agent] and others == 0)
    assert crowd.alone == pytest.approx(alone / total)


@given(st.floats(1e-3, 0.999), st.floats(0.01, 0.99))
def test_the_size_from_which_agents_are_rarely_alone(rate: float, share: float) -> None:
    size = rarely_alone_from(rate, share)
    assert size is not None
    assert (1 - rate) ** (size - 1) < share * (1 + 1e-9)
    assert (1 - rate) ** (size - 2) >= share * (1 - 1e-9)
