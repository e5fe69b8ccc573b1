"""An environment of one's own: guards who must keep watch.

    marl train --config examples/custom_environment.yaml

In every step each guard patrols (0), watches (1) or sleeps (2). A patrol earns 1/N; a night in which nobody watches
ends in a raid, and the game is over. Guards that slept yesterday may not sleep today (an action mask).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from pydantic import Field
from torch import Tensor

from marl_core.config.named import EnvironmentConfig
from marl_core.protocols import Environment
from marl_core.types import EnvironmentSpec, Observation, StepResult

PATROL, WATCH, SLEEP = 0, 1, 2


class NightWatchConfig(EnvironmentConfig):
    agents: int = Field(gt=0)
    nights: int = Field(default=8, gt=0)


@final
class NightWatch(Environment):
    """Games of different lengths, with action masks; the last night is a time limit, not an end of the task."""

    Config = NightWatchConfig

    def __init__(
        self,
        config: NightWatchConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._identity = torch.eye(config.agents, device=device)
        self._night = torch.zeros(games, dtype=torch.int64, device=device)
        self._slept = torch.zeros(games, config.agents, dtype=torch.bool, device=device)
        self._spec = EnvironmentSpec(
            agents=config.agents,
            actions=3,
            max_steps=config.nights,
            features=config.agents + 2,
            action_masks=True,
        )

    @property
    def spec(self) -> EnvironmentSpec:
        return self._spec

    def reset(self, games: Tensor | None = None) -> Observation:
        games = (
            torch.ones_like(self._night, dtype=torch.bool) if games is None else games
        )
        self._night = self._night.masked_fill(games, 0)
        self._slept = self._slept & ~games.unsqueeze(-1)
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        self._slept = actions == SLEEP
        self._night = self._night + 1
        reward = (actions == PATROL).float().mean(-1)
        raided = (actions != WATCH).all(-1)
        return StepResult(
            self._observe(),
            reward,
            raided,
            ~raided & (self._night >= self._spec.max_steps),
        )

    def state_dict(self) -> dict[str, Tensor]:
        return {"night": self._night, "slept": self._slept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._night, self._slept = state["night"], state["slept"]

    def _observe(self) -> Observation:
        games, agents = self._slept.shape
        night = (
            (self._night / self._spec.max_steps).view(-1, 1, 1).expand(games, agents, 1)
        )
        own = self._slept.unsqueeze(-1).float()
        mask = torch.ones(games, agents, 3, dtype=torch.bool, device=self._slept.device)
        mask[..., SLEEP] = ~self._slept
        return Observation(
            torch.cat([night, own, self._identity.expand(games, -1, -1)], -1),
            action_mask=mask,
        )
