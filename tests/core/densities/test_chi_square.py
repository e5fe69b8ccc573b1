"""The mass within a radius, and its inverse, for any number of numbers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_core.densities.chi_square import mass_within, radius_of

#: What is promised of the inverse.
MASS = 1e-6


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50),
    st.integers(1, 64),
)
def test_the_inverse_is_the_inverse(masses: list[float], numbers: int) -> None:
    """To 1e-6 in the mass, in single precision, from end to end."""
    mass = torch.tensor(masses, dtype=torch.float32)
    radius = radius_of(mass, numbers)
    assert radius.isfinite().all()
    found = mass_within(radius.square(), numbers)
    assert (found - mass).abs().max() <= MASS


@given(
    st.lists(st.floats(0, 1 - 1e-12), min_size=2, max_size=50),
    st.integers(1, 64),
)
def test_greater_masses_have_greater_radii(masses: list[float], numbers: int) -> None:
    radius = radius_of(torch.tensor(masses, dtype=torch.float64).sort().values, numbers)
    assert (radius.diff() >= -1e-9 * (1 + radius[1:])).all()


@pytest.mark.parametrize("numbers", [1, 2, 3, 7])
def test_it_is_the_mass_of_normal_draws(numbers: int) -> None:
    """By Dvoretzky, Kiefer and Wolfowitz, chance exceeds the bound once in 10^8 times."""
    generator = torch.Generator().manual_seed(numbers)
    draws = 200_000
    squared = torch.randn(draws, numbers, generator=generator).square().sum(-1)
    ranks = mass_within(squared, numbers).sort().values
    expected = (torch.arange(draws) + 0.5) / draws
    bound = math.sqrt(math.log(2e8) / (2 * draws))
    assert (ranks - expected).abs().max() < bound


def test_three_numbers_have_a_closed_form() -> None:
    """erf(r / sqrt 2) - r sqrt(2 / pi) exp(-r^2 / 2), in double precision."""
    radius = torch.linspace(0.01, 6, 100, dtype=torch.float64)
    inside = torch.erf(radius / math.sqrt(2))
    edge = radius * math.sqrt(2 / math.pi) * (-radius.square() / 2).exp()
    assert torch.allclose(mass_within(radius.square(), 3), inside - edge, atol=1e-12)
