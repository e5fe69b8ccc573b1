"""A game whose actions are numbers in a box: agents should hit targets that they see."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from marl_core.base_config import EnvironmentConfig
from marl_core.types import Box, EnvironmentSpec, Observation, StepResult


class TargetsConfig(EnvironmentConfig):
    """Settings of the game.

    ``seen_once``: a target is seen in the first step alone, so that it has to be remembered.
    ``mortal``: an agent dies that misses by much.
    """

    name: str = "targets"
    agents: int = Field(default=3, gt=0)
    steps: int = Field(default=3, gt=0)
    seen_once: bool = False
    mortal: bool = False
    beside_a_box: int = 0


class Targets:
    """Every agent sees a target in the box [-2, 1] x [0, 4], and is paid for being near it."""

    Config = TargetsConfig
    BOX = Box((-2.0, 0.0), (1.0, 4.0))

    def __init__(
        self,
        config: TargetsConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.config = config
        self.spec = EnvironmentSpec(
            agents=config.agents,
            actions=config.beside_a_box,
            max_steps=config.steps,
            features=2,
            fixed_length=not config.mortal,
            individual_reward=True,
            agents_die=config.mortal,
            box=self.BOX,
        )
        self._generator = generator
        shape = (games, config.agents)
        self._target = torch.zeros(*shape, 2, device=device)
        self._alive = torch.ones(shape, dtype=torch.bool, device=device)
        self._age = torch.zeros(games, dtype=torch.int64, device=device)
        self.got: list[Tensor] = []

    def reset(self, games: Tensor | None = None) -> Observation:
        """Draw targets anew.

        Args:
            games: which games; None: all.
        """
        drawn = torch.rand(self._target.shape, generator=self._generator)
        again = torch.ones_like(self._age, dtype=torch.bool) if games is None else games
        drawn = 2 * drawn.to(self._target) - 1
        self._target = torch.where(again[:, None, None], drawn, self._target)
        self._alive = self._alive | again[:, None]
        self._age = self._age.masked_fill(again, 0)
        return self._seen()

    def step(self, actions: Tensor) -> StepResult:
        """Pay by the squared distance, in half widths.

        Args:
            actions: ``[E, N, 2]``.
        """
        self.got.append(actions)
        low, high = self.BOX.bounds(actions)
        placed = 2 * (actions - low) / (high - low) - 1
        missed = (placed - self._target).square().mean(-1)
        self._age = self._age + 1
        reward = torch.where(self._alive, 1 - missed, 0.0)
        if self.config.mortal:
            self._alive = self._alive & (missed < 1)
        terminated = ~self._alive.any(-1)
        return StepResult(
            observation=self._seen(),
            team_reward=reward.mean(-1),
            terminated=terminated,
            truncated=~terminated & (self._age >= self.config.steps),
            individual_reward=reward,
        )

    def _seen(self) -> Observation:
        shown = self._target.clone()
        if self.config.seen_once:
            shown = shown * (self._age == 0)[:, None, None]
        alive = self._alive.clone() if self.config.mortal else None
        return Observation(shown, alive=alive)
