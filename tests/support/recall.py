"""A task that nobody solves who cannot remember."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from marl_core.types import EnvironmentSpec, Observation, StepResult


class Recall:
    """Each agent sees a cue in the first step and is asked for it in the last.

    In between it sees nothing. The team earns the share of right answers.
    """

    steps = 4
    spec = EnvironmentSpec(
        agents=2, actions=2, max_steps=steps, features=2, fixed_length=True
    )

    def __init__(
        self,
        config: object,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._generator = generator
        self._cue = torch.zeros(games, 2, dtype=torch.int64)
        self._step = torch.zeros(games, dtype=torch.int64)

    def reset(self, games: Tensor | None = None) -> Observation:
        again = (
            torch.ones_like(self._step, dtype=torch.bool) if games is None else games
        )
        drawn = torch.randint(2, self._cue.shape, generator=self._generator)
        self._cue = torch.where(again.unsqueeze(-1), drawn, self._cue)
        self._step = self._step.masked_fill(again, 0)
        return self._seen()

    def step(self, actions: Tensor) -> StepResult:
        self._step = self._step + 1
        over = self._step >= self.steps
        right = (actions == self._cue).float().mean(-1)
        reward = torch.where(over, right, 0.0)
        return StepResult(self._seen(), reward, over, torch.zeros_like(over))

    def _seen(self) -> Observation:
        cue = nn.functional.one_hot(self._cue, 2).float()
        return Observation(cue * (self._step == 0).view(-1, 1, 1))
