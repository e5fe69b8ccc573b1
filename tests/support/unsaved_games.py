"""Games that are like the practice environment's, but cannot be saved."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Observation, StepResult


class UnsavedConfig(PracticeConfig):
    """The practice environment's settings."""

    name: str = "tests.support.unsaved_games:Unsaved"


class Unsaved:
    """The practice environment without its state."""

    Config = UnsavedConfig

    def __init__(
        self,
        config: UnsavedConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._inner = Practice(config, games=games, device=device, generator=generator)

    @property
    def spec(self) -> EnvironmentSpec:
        return self._inner.spec

    def reset(self, games: Tensor | None = None) -> Observation:
        return self._inner.reset(games)

    def step(self, actions: Tensor) -> StepResult:
        return self._inner.step(actions)
