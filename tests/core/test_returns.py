"""Advantages and returns against their definition, written as slow loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.returns import (
    generalised_advantages,
    rewards_of_the_living,
    td_lambda_returns,
)
from marl_core.testing.strategies import seeds

ENDS = st.lists(
    st.tuples(st.integers(1, 7), st.sampled_from(["terminated", "truncated"])),
    min_size=1,
    max_size=4,
)


def _by_definition(
    reward: list[float],
    values: list[float],
    last_value: float,
    terminated: bool,
    gamma: float,
    lam: float,
) -> list[float]:
    """A_t = sum_k (gamma lam)^k delta_{t+k} of one agent in a game as long as the lists."""
    length = len(reward)
    following = [*values[1:], 0.0 if terminated else last_value]
    delta = [reward[t] + gamma * following[t] - values[t] for t in range(length)]
    return [
        sum((gamma * lam) ** k * delta[t + k] for k in range(length - t))
        for t in range(length)
    ]


def _random(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@given(ENDS, st.integers(1, 3), seeds(), st.floats(0, 1), st.floats(0, 1))
def test_generalised_advantages(
    ends: list[tuple[int, str]], agents: int, seed: int, gamma: float, lam: float
) -> None:
    games = len(ends)
    steps = max(length for length, _ in ends)
    step = torch.arange(steps).unsqueeze(-1)
    length = torch.tensor([n for n, _ in ends])
    valid = step < length
    terminated = (step == length - 1) & torch.tensor(
        [how == "terminated" for _, how in ends]
    )
    # What stands in the padding must not matter, so it is random too; so are flags of games that
    # have ended.
    reward = _random((steps, games, agents), seed)
    values = _random((steps, games, agents), seed + 1)
    last_values = _random((games, agents), seed + 2)
    terminated |= ~valid & (_random((steps, games), seed + 3) > 0)
    advantage = generalised_advantages(
        reward, values, last_values, terminated, valid, gamma, lam
    )
    for e, (n, how) in enumerate(ends):
        for i in range(agents):
            expected = _by_definition(
                reward[:n, e, i].tolist(),
                values[:n, e, i].tolist(),
                float(last_values[e, i]),
                how == "terminated",
                gamma,
                lam,
            )
            # Double precision, at most 7 terms of order 1.
            assert advantage[:n, e, i].tolist() == pytest.approx(expected, abs=1e-12)
        assert (advantage[n:, e] == 0).all()


def test_by_hand() -> None:
    """Two steps, gamma = lambda = 1/2: a terminated game, and one that is bootstrapped with 8."""
    reward = torch.tensor([[[1.0], [1.0]], [[2.0], [2.0]]])
    values = torch.tensor([[[0.5], [0.5]], [[1.0], [1.0]]])
    terminated = torch.tensor([[False, False], [True, False]])
    valid = torch.ones(2, 2, dtype=torch.bool)
    advantage = generalised_advantages(
        reward, values, torch.full((2, 1), 8.0), terminated, valid, 0.5, 0.5
    )
    # delta_1 = 2 - 1 = 1, or 2 + 4 - 1 = 5; delta_0 = 1 + 0.5 - 0.5 = 1; A_0 = delta_0 + delta_1 /
    # 4.
    assert advantage.squeeze(-1).tolist() == [[1.25, 2.25], [1.0, 5.0]]


def forward_view(
    reward: list[float],
    next_values: list[float],
    terminated: bool,
    gamma: float,
    lam: float,
) -> list[float]:
    """TD(lambda) returns of one game that is exactly as long as the lists (Sutton and Barto 2018,
    Eq. 12.3).

    The n-step returns of every n, weighted by (1 - lambda) lambda^(n-1), and all that is left of
    the weight on the one that reaches the end. ``next_values[t]`` is the value of what follows step
    t."""
    length = len(reward)

    def n_step(t: int, n: int) -> float:
        earned = sum(gamma**k * reward[t + k] for k in range(n))
        over = terminated and t + n == length
        return earned if over else earned + gamma**n * next_values[t + n - 1]

    return [
        sum((1 - lam) * lam ** (n - 1) * n_step(t, n) for n in range(1, length - t))
        + lam ** (length - t - 1) * n_step(t, length - t)
        for t in range(length)
    ]


def _episodes(
    ends: list[tuple[int, str]], seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rewards, next values, terminations, valid steps; after the ends only noise and NaN."""
    steps = max(length for length, _ in ends)
    step = torch.arange(steps).unsqueeze(-1)
    length = torch.tensor([n for n, _ in ends])
    valid = step < length
    ended = torch.tensor([how == "terminated" for _, how in ends])
    shape = (steps, len(ends))
    reward = _random(shape, seed)
    next_values = _random(shape, seed + 1)
    reward[~valid] = torch.nan
    next_values[~valid | (step == length - 1) & ended] = torch.nan
    terminated = (step == length - 1) & ended | ~valid & (_random(shape, seed + 2) > 0)
    return reward, next_values, terminated, valid


@given(ENDS, seeds(), st.floats(0, 1), st.floats(0, 1))
def test_td_lambda_returns(
    ends: list[tuple[int, str]], seed: int, gamma: float, lam: float
) -> None:
    reward, next_values, terminated, valid = _episodes(ends, seed)
    returns = td_lambda_returns(reward, next_values, terminated, valid, gamma, lam)
    for e, (n, how) in enumerate(ends):
        expected = forward_view(
            reward[:n, e].tolist(),
            next_values[:n, e].tolist(),
            how == "terminated",
            gamma,
            lam,
        )
        assert returns[:n, e].tolist() == pytest.approx(expected, abs=1e-12)
        assert (returns[n:, e] == 0).all()


@given(ENDS, seeds(), st.floats(0, 1))
def test_td_lambda_at_its_ends(
    ends: list[tuple[int, str]], seed: int, gamma: float
) -> None:
    """lambda = 0 looks one step ahead; lambda = 1 adds up all rewards and bootstraps."""
    reward, next_values, terminated, valid = _episodes(ends, seed)
    one_step = td_lambda_returns(reward, next_values, terminated, valid, gamma, 0.0)
    monte_carlo = td_lambda_returns(reward, next_values, terminated, valid, gamma, 1.0)
    for e, (n, how) in enumerate(ends):
        last = 0.0 if how == "terminated" else float(next_values[n - 1, e])
        ahead = [*next_values[: n - 1, e].tolist(), last]
        assert one_step[:n, e].tolist() == pytest.approx(
            [float(reward[t, e]) + gamma * ahead[t] for t in range(n)], abs=1e-12
        )
        total = last
        for t in range(n - 1, -1, -1):
            total = float(reward[t, e]) + gamma * total
            assert float(monte_carlo[t, e]) == pytest.approx(total, abs=1e-12)


def test_td_lambda_by_hand() -> None:
    """Two steps, gamma = lambda = 1/2, V = 4 in between: one game ends, the other has V = 8."""
    reward = torch.tensor([[1.0, 1.0], [2.0, 2.0]])
    next_values = torch.tensor([[4.0, 4.0], [torch.nan, 8.0]])
    terminated = torch.tensor([[False, False], [True, False]])
    returns = td_lambda_returns(
        reward, next_values, terminated, torch.ones(2, 2, dtype=torch.bool), 0.5, 0.5
    )
    # G_1 = 2, or 2 + 8/2 = 6; G_0 = 1 + (4/2 + G_1/2) / 2.
    assert returns.tolist() == [[2.5, 3.5], [2.0, 6.0]]


@given(ENDS, st.integers(1, 3), seeds(), st.floats(0, 1))
def test_where_nobody_dies_rewards_stay_where_they_are(
    ends: list[tuple[int, str]], agents: int, seed: int, factor: float
) -> None:
    """As the loop over the steps finds it, which is told that everybody acted."""
    steps = max(length for length, _ in ends)
    valid = torch.arange(steps).unsqueeze(-1) < torch.tensor([n for n, _ in ends])
    reward = _random((steps, len(ends), agents), seed)
    acting = valid.unsqueeze(-1).expand(reward.shape)
    found = rewards_of_the_living(reward, None, valid, factor)
    assert torch.equal(found, rewards_of_the_living(reward, acting, valid, factor))
