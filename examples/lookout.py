"""An environment of one's own whose actions are numbers: a watch that nobody has to keep.

    marl train --config examples/lookout.yaml

Each agent chooses where to stand, x in [-1, 1]. Near -0.5 it gathers: that earns the team
1 - (x + 0.5)^2, by the mean over agents. Who stands beyond 0.5 keeps the watch, and gathers
little. Where nobody does, the camp is raided, which costs ``raid``. One on watch is enough, so a
team should have one of its agents stand apart. But as long as agents explore on their own, somebody
is there by chance, and nobody has a reason to be the one.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from marl_core.types import Box, EnvironmentSpec, Observation, StepResult

#: Where it pays to gather, and beyond which point one is on watch.
HABIT, POST = -0.5, 0.5


class LookoutConfig(BaseModel):
    agents: int = Field(gt=0)
    raid: float = Field(default=0.5, gt=0)


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
        self._raid = config.raid
        self._identity = torch.eye(config.agents, device=device)
        self._games = games

    def reset(self, games: Tensor | None = None) -> Observation:
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        place = actions.squeeze(-1)
        gathered = 1 - (place - HABIT).square()
        raided = (place < POST).all(-1)
        over = torch.ones_like(raided)
        return StepResult(
            observation=self._observe(),
            team_reward=gathered.mean(-1) - self._raid * raided,
            terminated=over,
            truncated=~over,
        )

    def _observe(self) -> Observation:
        return Observation(self._identity.repeat(self._games, 1, 1))
