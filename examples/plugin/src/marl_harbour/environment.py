"""Tugs that moor a ship.

In every step each tug pulls (0), guides (1) or refuels (2). The ship comes nearer by the share of
tugs that pull, but only if one of them guides it, and the team earns how much nearer it came. If
all pull, the line breaks and the game is over. A tug that has pulled twice in a row has to do
something else first.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from marl_core.base_config import EnvironmentConfig
from marl_core.types import EnvironmentSpec, Observation, StepResult

PULL, GUIDE, REFUEL = 0, 1, 2
#: A tug can pull so often in a row.
STAMINA = 2


class HarbourConfig(EnvironmentConfig):
    """Settings of the harbour."""

    name: str = "harbour"
    agents: int = Field(default=6, gt=1, le=1000, description="N, the number of tugs.")
    hours: int = Field(default=8, gt=0, le=1000, description="Until the tide is out.")
    distance: float = Field(
        default=3.0, gt=0, le=1000, description="How far the ship has to be pulled."
    )

    def spec(self) -> EnvironmentSpec:
        """Told by the settings alone, so that nobody has to build a game to learn it."""
        return EnvironmentSpec(
            agents=self.agents,
            actions=3,
            max_steps=self.hours,
            features=self.agents + 2,
            action_masks=True,
            wins=True,
        )


class Harbour:
    """Games that are over when the ship is moored, the line is broken, or the tide is out.

    The tide is a limit from outside: values are bootstrapped there.
    """

    Config = HarbourConfig

    def __init__(
        self,
        config: HarbourConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec = config.spec()
        self.action_names = ("pull", "guide", "refuel")
        self._distance = config.distance
        self._generator = generator
        self._identity = torch.eye(config.agents, device=device)
        self._hour = torch.zeros(games, dtype=torch.int64, device=device)
        self._left = torch.full((games,), config.distance, device=device)
        self._pulled = torch.zeros(
            games, config.agents, dtype=torch.int64, device=device
        )

    def reset(self, games: Tensor | None = None) -> Observation:
        """The ship is up to a quarter nearer than the farthest that it can be."""
        again = torch.ones_like(self._hour, dtype=torch.bool)
        if games is not None:
            again = games
        drawn = torch.rand(
            self._left.shape,
            generator=self._generator,
            device=self._left.device,
        )
        begin = self._distance * (1 - drawn / 4)
        self._left = torch.where(again, begin, self._left)
        self._hour = self._hour.masked_fill(again, 0)
        self._pulled = self._pulled.masked_fill(again.unsqueeze(-1), 0)
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        pulls = actions == PULL
        guided = (actions == GUIDE).any(-1)
        nearer = pulls.float().mean(-1) * guided
        reward = torch.minimum(nearer, self._left)
        self._left = self._left - reward
        self._hour = self._hour + 1
        self._pulled = (self._pulled + 1) * pulls
        moored = self._left <= 0
        ended = moored | pulls.all(-1)
        return StepResult(
            observation=self._observe(),
            team_reward=reward,
            terminated=ended,
            truncated=~ended & (self._hour >= self.spec.max_steps),
            won=moored,
        )

    def _observe(self) -> Observation:
        games, agents = self._pulled.shape
        left = (self._left / self._distance).view(-1, 1, 1).expand(games, agents, 1)
        tired = self._pulled.unsqueeze(-1) / STAMINA
        identity = self._identity.expand(games, -1, -1)
        mask = torch.ones(games, agents, 3, dtype=torch.bool, device=left.device)
        mask[..., PULL] = self._pulled < STAMINA
        features = torch.cat([left, tired.clamp(max=1), identity], -1)
        return Observation(features, action_mask=mask)
