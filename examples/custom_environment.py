"""An environment of one's own: guards who must keep watch.

    marl train --config examples/custom_environment.yaml

In every step each guard patrols (0), watches (1) or sleeps (2). A patrol earns 1/N; a night in
which nobody watches ends in a raid, and the game is over. Guards that slept yesterday may not sleep
today (an action mask). The class has the members of an environment and inherits nothing.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from marl_core.types import EnvironmentSpec, Observation, StepResult

PATROL, WATCH, SLEEP = 0, 1, 2


class NightWatchConfig(BaseModel):
    agents: int = Field(gt=0)
    nights: int = Field(default=8, gt=0)


class NightWatch:
    """Games of different lengths, with action masks.

    The last night is a time limit, not an end of the task.
    """

    Config = NightWatchConfig

    def __init__(
        self,
        config: NightWatchConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec = EnvironmentSpec(
            agents=config.agents,
            actions=3,
            max_steps=config.nights,
            features=config.agents + 2,
            action_masks=True,
        )
        self._identity = torch.eye(config.agents, device=device)
        self._night = torch.zeros(games, dtype=torch.int64, device=device)
        self._slept = torch.zeros(games, config.agents, dtype=torch.bool, device=device)

    def reset(self, games: Tensor | None = None) -> Observation:
        everyone = torch.ones_like(self._night, dtype=torch.bool)
        again = everyone if games is None else games
        self._night = self._night.masked_fill(again, 0)
        self._slept = self._slept & ~again.unsqueeze(-1)
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        self._slept = actions == SLEEP
        self._night = self._night + 1
        reward = (actions == PATROL).float().mean(-1)
        raided = (actions != WATCH).all(-1)
        is_late = self._night >= self.spec.max_steps
        return StepResult(
            observation=self._observe(),
            team_reward=reward,
            terminated=raided,
            truncated=~raided & is_late,
        )

    def _observe(self) -> Observation:
        games, agents = self._slept.shape
        time = self._night / self.spec.max_steps
        night = time.view(-1, 1, 1).expand(games, agents, 1)
        own = self._slept.unsqueeze(-1).float()
        identity = self._identity.expand(games, -1, -1)
        mask = torch.ones(games, agents, 3, dtype=torch.bool, device=own.device)
        mask[..., SLEEP] = ~self._slept
        features = torch.cat([night, own, identity], -1)
        return Observation(features, action_mask=mask)
