"""The error of a value against its definition, number by number."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_core.hosts.mappo.value_loss import value_error

NUMBERS = st.floats(-5, 5, width=32)
BOUNDS = st.sampled_from([None, 0.25, 1.0, 100.0])


def plain(error: float, huber: float | None) -> float:
    """Twice Huber's loss: the square, and a line beyond the bound that goes on at its slope."""
    size = abs(error)
    if huber is None or size <= huber:
        return error**2
    return huber**2 + 2 * huber * (size - huber)


@given(NUMBERS, NUMBERS, NUMBERS, BOUNDS, BOUNDS)
def test_it_is_the_greater_error_of_the_value_and_the_clipped_one(
    value: float, target: float, before: float, huber: float | None, clip: float | None
) -> None:
    found = value_error(
        *torch.tensor([[value], [target], [before]], dtype=torch.float64),
        huber=huber,
        clip=clip,
    )
    expected = plain(value - target, huber)
    if clip is not None:
        clipped = before + max(-clip, min(clip, value - before))
        expected = max(expected, plain(clipped - target, huber))
    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "slope"),
    [
        (0.1, -3.8),  # near what it was: it goes on towards its target
        (0.5, 0.0),  # it has gone far enough towards it
        (-0.5, -5.0),  # it has gone far away from it: it is taught back
        (4.0, 4.0),  # it has gone beyond it, farther than what is allowed
    ],
)
def test_a_value_that_has_gone_far_enough_is_taught_nothing(
    value: float, slope: float
) -> None:
    values = torch.tensor([value], requires_grad=True)
    target, before = torch.tensor([2.0]), torch.tensor([0.0])
    error = value_error(values, target, before, huber=None, clip=0.2)
    (found,) = torch.autograd.grad(error.sum(), values)
    assert found.item() == pytest.approx(slope)
