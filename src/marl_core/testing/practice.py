"""A small environment that gives everything the protocol knows of, for trying hosts on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from jaxtyping import Bool, Int
from pydantic import Field
from torch import Tensor

from marl_core.base_config import EnvironmentConfig
from marl_core.rng import uniform
from marl_core.testing.play import EnvironmentCase
from marl_core.types import NO_OP, EnvironmentSpec, Observation, StepResult

WAIT, WORK, RISK, LEAVE = range(4)


class PracticeConfig(EnvironmentConfig):
    """Settings of the practice environment."""

    name: str = "marl_core.testing.practice:Practice"
    agents: int = Field(default=3, gt=0)
    max_steps: int = Field(default=6, gt=1)


@final
class Practice:
    """A team in a mine, over all too soon: agents die, have no legal action, and games last
    differently long.

    To work earns 1/N, to risk something 2/N; but who risks is ill with probability 0.5 and has no
    legal action in the next step, and who is unlucky twice is dead. Once half of the time has
    passed agents may leave; the game terminates where more than half of the living leave at once or
    nobody lives, and is truncated at ``max_steps``. Who leaves and lives has won. Entity 0 of an
    agent is the agent itself, as hosts may ask for; the dead are masked."""

    Config = PracticeConfig

    def __init__(
        self,
        config: PracticeConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._config, self._generator = config, generator
        self._step = torch.zeros(games, dtype=torch.int64, device=device)
        self._health = torch.full(
            (games, config.agents), 2, dtype=torch.int64, device=device
        )
        self._ill = torch.zeros(games, config.agents, dtype=torch.bool, device=device)

    @property
    def spec(self) -> EnvironmentSpec:
        """Everything but a table of distinct observations."""
        agents = self._config.agents
        return EnvironmentSpec(
            agents=agents,
            actions=4,
            max_steps=self._config.max_steps,
            features=3 + agents,
            entities=(agents, 3),
            state_features=1 + agents,
            individual_reward=True,
            action_masks=True,
            agents_die=True,
            wins=True,
        )

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Everybody in good health again."""
        games = (
            torch.ones_like(self._step, dtype=torch.bool) if games is None else games
        )
        self._step = self._step.masked_fill(games, 0)
        self._health = self._health.masked_fill(games.unsqueeze(-1), 2)
        self._ill = self._ill & ~games.unsqueeze(-1)
        return self._observe()

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """A day's work."""
        alive = self._health > 0
        unlucky = uniform(tuple(actions.shape), self._generator) < 0.5
        earned = (
            ((actions == WORK) + 2.0 * (actions == RISK)) * alive / self._config.agents
        )
        self._ill = (actions == RISK) & alive & unlucky
        self._health = self._health - self._ill.long()
        self._step = self._step + 1
        leaving = 2 * ((actions == LEAVE) & alive).sum(-1) > alive.sum(-1)
        terminated = leaving | (self._health == 0).all(-1)
        truncated = ~terminated & (self._step >= self._config.max_steps)
        won = leaving & (self._health > 0).any(-1)
        return StepResult(
            self._observe(),
            earned.sum(-1),
            terminated,
            truncated,
            individual_reward=earned,
            won=won,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Time and health."""
        return {"step": self._step, "health": self._health, "ill": self._ill}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on at that time, in that health."""
        device = self._step.device
        self._step, self._health, self._ill = (
            state[name].to(device) for name in ("step", "health", "ill")
        )

    def _observe(self) -> Observation:
        games, agents = self._health.shape
        alive = self._health > 0
        time = (self._step / self._config.max_steps).unsqueeze(-1)
        body = torch.stack(
            [time.expand(games, agents), self._health / 2, self._ill.float()], -1
        )
        identity = torch.eye(agents, device=time.device).expand(games, agents, agents)
        index = torch.arange(agents, device=time.device)
        in_sight = (
            index.unsqueeze(-1) + index
        ) % agents  # of agent i: itself, i + 1, i + 2, ...
        action_mask = torch.ones(games, agents, 4, dtype=torch.bool, device=time.device)
        action_mask[..., LEAVE] = (2 * self._step >= self._config.max_steps).unsqueeze(
            -1
        )
        action_mask &= ~self._ill.unsqueeze(-1)
        action_mask[..., NO_OP] |= ~alive
        return Observation(
            features=torch.cat([body, identity], -1),
            entities=(body * alive.unsqueeze(-1))[:, in_sight],
            entity_mask=alive[:, in_sight],
            state=torch.cat([time, self._health / 2], -1),
            action_mask=action_mask,
            alive=alive,
        )


#: What hosts are tried on where a case does not say otherwise.
PRACTICE = EnvironmentCase(partial(Practice, PracticeConfig()))
