"""Advantages against their definition, written as slow loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.returns import generalised_advantages
from marl_core.testing.strategies import seeds

ENDS = st.lists(st.tuples(st.integers(1, 7), st.sampled_from(["terminated", "truncated"])), min_size=1, max_size=4)


def _by_definition(
    reward: list[float], values: list[float], last_value: float, terminated: bool, gamma: float, lam: float
) -> list[float]:
    """A_t = sum_k (gamma lam)^k delta_{t+k} of one agent in one game that is exactly as long as the lists."""
    length = len(reward)
    following = [*values[1:], 0.0 if terminated else last_value]
    delta = [reward[t] + gamma * following[t] - values[t] for t in range(length)]
    return [sum((gamma * lam) ** k * delta[t + k] for k in range(length - t)) for t in range(length)]


def _random(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(ENDS, st.integers(1, 3), seeds(), st.floats(0, 1), st.floats(0, 1))
def test_generalised_advantages(ends: list[tuple[int, str]], agents: int, seed: int, gamma: float, lam: float) -> None:
    games, steps = len(ends), max(length for length, _ in ends)
    step = torch.arange(steps).unsqueeze(-1)
    length = torch.tensor([n for n, _ in ends])
    valid = step < length
    terminated = (step == length - 1) & torch.tensor([how == "terminated" for _, how in ends])
    # What stands in the padding must not matter, so it is random too; so are flags of games that have ended.
    reward, values = _random((steps, games, agents), seed), _random((steps, games, agents), seed + 1)
    last_values = _random((games, agents), seed + 2)
    terminated |= ~valid & (_random((steps, games), seed + 3) > 0)
    advantage = generalised_advantages(reward, values, last_values, terminated, valid, gamma, lam)
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
    advantage = generalised_advantages(reward, values, torch.full((2, 1), 8.0), terminated, valid, 0.5, 0.5)
    # delta_1 = 2 - 1 = 1, or 2 + 4 - 1 = 5; delta_0 = 1 + 0.5 - 0.5 = 1; A_0 = delta_0 + delta_1 / 4.
    assert advantage.squeeze(-1).tolist() == [[1.25, 2.25], [1.0, 5.0]]
