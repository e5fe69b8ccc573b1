"""Battles for the properties of ADCA: small teams, close together, in double precision."""

from __future__ import annotations

import math
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.testing.strategies import seeds
from marl_envs.adca import ADCA, ADCAConfig
from marl_envs.adca.battle import Battle
from marl_envs.adca.physics import ground


def config(**fields: Any) -> ADCAConfig:
    return ADCAConfig(**{"name": "marl_envs.adca:ADCA", **fields})


def environment(games: int = 1, seed: int = 0, **fields: Any) -> ADCA:
    return ADCA(
        config(**fields),
        games=games,
        device="cpu",
        generator=torch.Generator().manual_seed(seed),
    )


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scattered(seed: int, fighters: int, extent: float, games: int = 1) -> Battle:
    """Random battles: fighters within ``extent`` of the middle, a fifth of them dead."""
    source = generator(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=source, dtype=torch.float64)

    position, theta = (
        (2 * uniform(games, 2, fighters) - 1) * extent,
        (2 * uniform(games) - 1) * math.pi,
    )
    return Battle(
        alive=uniform(games, fighters) < 0.8,
        position=position,
        velocity=(2 * uniform(games, 2, fighters) - 1) * 0.7,
        heading=(2 * uniform(games, fighters) - 1) * math.pi,
        terrain=ground(position, theta),
        theta=theta,
        clock=torch.randint(0, 100, (games,), generator=source),
        key=torch.randint(0, 2**62, (games,), generator=source),
    )


def teams() -> st.SearchStrategy[tuple[int, int]]:
    """Sizes of both teams."""
    return st.tuples(st.integers(1, 12), st.integers(1, 25))


__all__ = ["config", "environment", "generator", "scattered", "seeds", "teams"]
