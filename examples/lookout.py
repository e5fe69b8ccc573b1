"""An environment of one's own whose actions are numbers: a watch that nobody has to keep.

    marl train --config examples/lookout.yaml

Each agent chooses where to stand, x in [-1, 1]. Where it is used to stand, at ``habit``, it gathers
most: the team earns 1 - (x - habit)^2, by the mean over agents. Whoever stands beyond ``post``
keeps the watch and gathers less. Where nobody does, the camp is raided, which costs ``raid``. One
on watch is enough, so a team should have one of its agents stand apart. But as long as agents
explore on their own, somebody is there by chance, and nobody has a reason to be the one.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from marl_core.types import Box, EnvironmentSpec, Observation, StepResult


class LookoutConfig(BaseModel):
    agents: int = Field(gt=0)
    raid: float = Field(default=0.5, gt=0)
    habit: float = Field(default=0.0, ge=-1, le=1)
    post: float = Field(default=0.3, ge=-1, le=1)


class Lookout:
    """Games of one step; agents know which one they are."""

    Config = LookoutConfig

    def __init__(
        self,
        config: LookoutConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec = EnvironmentSpec(
            agents=config.agents,
            actions=0,
            max_steps=1,
            features=config.agents,
            fixed_length=True,
            box=Box.unit(1),
        )
        self._config = config
        self._identity = torch.eye(config.agents, device=device)
        self._games = games

    def reset(self, games: Tensor | None = None) -> Observation:
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        place = actions.squeeze(-1)
        gathered = 1 - (place - self._config.habit).square()
        raided = (place < self._config.post).all(-1)
        over = torch.ones_like(raided)
        return StepResult(
            observation=self._observe(),
            team_reward=gathered.mean(-1) - self._config.raid * raided,
            terminated=over,
            truncated=~over,
        )

    def _observe(self) -> Observation:
        return Observation(self._identity.repeat(self._games, 1, 1))
