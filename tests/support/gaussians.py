"""Gaussian policies over boxes, drawn by Hypothesis."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, tensor

from marl_core.densities.gaussian import GaussianDensities

SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def gaussians(
    draw: st.DrawFn,
    numbers: tuple[int, int] = (1, 5),
    dtype: torch.dtype = torch.float64,
    *,
    squashed: bool | None = None,
    games: int = 3,
    most_std: float = 1.0,
) -> GaussianDensities:
    """Policies of some agents in some games.

    Args:
        draw: Hypothesis's.
        numbers: between which D lies.
        dtype: of all tensors.
        squashed: which map; None: either.
        games: E.
        most_std: the greatest standard deviation.
    """
    generator = torch.Generator().manual_seed(draw(SEEDS))
    shape = (games, draw(st.integers(1, 3)), draw(st.integers(*numbers)))
    mean = draw(st.floats(0, 3)) * torch.randn(shape, generator=generator)
    least, most = tensor(0.02).log(), tensor(most_std).log()
    log_std = least + (most - least) * torch.rand(shape, generator=generator)
    low = draw(st.floats(-50, 50))
    width = draw(st.floats(0.1, 100))
    kind = draw(st.booleans()) if squashed is None else squashed
    least_value = torch.full(shape[-1:], low, dtype=dtype)
    return GaussianDensities(
        mean.to(dtype), log_std.to(dtype), least_value, least_value + width, kind
    )


def noise_of(densities: GaussianDensities, seed: int) -> Tensor:
    """Standard normal noise for every agent.

    Args:
        densities: for which.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(densities.shape, generator=generator).to(densities.mean)
