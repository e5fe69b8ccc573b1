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
_ACTIONS = 4
_TEAMS = 2


class PracticeConfig(EnvironmentConfig):
    """Settings of the practice environment."""

    name: str = "marl_core.testing.practice:Practice"
    agents: int = Field(default=3, gt=0)
    max_steps: int = Field(default=6, gt=1)

    def spec(self) -> EnvironmentSpec:
        """Everything but a table of distinct observations."""
        return EnvironmentSpec(
            agents=self.agents,
            actions=_ACTIONS,
            max_steps=self.max_steps,
            features=3 + self.agents,
            entities=(self.agents, 3),
            state_features=1 + self.agents,
            individual_reward=True,
            action_masks=True,
            agents_die=True,
            wins=True,
            teams=tuple(agent % _TEAMS for agent in range(self.agents)),
        )


@final
class Practice:
    """A mine. Agents fall ill and die, and games have different lengths.

    Agents are of two teams by turns, for couplings that ask; nothing else depends on it.

    *Reward*: to work earns 1/N, to risk something 2/N. An agent that risks something is ill with
    probability 0.5, and has no legal action in the next step; an agent that is ill for the second
    time is dead. *End*: once half of the time has passed agents may leave. A game terminates when
    more than half of the living leave at once, which is a win if anybody lives, or when nobody
    lives; it is truncated at ``max_steps``. *Observation*: entity 0 of an agent is the agent
    itself, as hosts may ask for; dead agents are masked.

    Args:
        config: the size of the team and the length of games.
        games: E, how many games are played.
        device: where they are played.
        generator: says who falls ill.
    """

    Config = PracticeConfig

    def __init__(
        self,
        config: PracticeConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        team = (games, config.agents)
        self._config = config
        self._generator = generator
        self._step = torch.zeros(
            games,
            dtype=torch.int64,
            device=device,
        )
        self._health = torch.full(
            team,
            2,
            dtype=torch.int64,
            device=device,
        )
        self._ill = torch.zeros(
            team,
            dtype=torch.bool,
            device=device,
        )

    @property
    def spec(self) -> EnvironmentSpec:
        """Everything but a table of distinct observations."""
        return self._config.spec()

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Everybody is in good health again.

        Args:
            games: which games start anew; None: all of them.
        """
        everyone = torch.ones_like(self._step, dtype=torch.bool)
        again = everyone if games is None else games
        self._step = self._step.masked_fill(again, 0)
        self._health = self._health.masked_fill(again.unsqueeze(-1), 2)
        self._ill = self._ill & ~again.unsqueeze(-1)
        return self._observe()

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """A day's work.

        Args:
            actions: what each agent does.
        """
        alive = self._health > 0
        unlucky = uniform(tuple(actions.shape), self._generator) < 0.5
        value = (actions == WORK) + 2.0 * (actions == RISK)
        earned = value * alive / self._config.agents
        self._ill = (actions == RISK) & alive & unlucky
        self._health = self._health - self._ill.long()
        self._step = self._step + 1
        leavers = ((actions == LEAVE) & alive).sum(-1)
        leaving = 2 * leavers > alive.sum(-1)
        terminated = leaving | (self._health == 0).all(-1)
        is_late = self._step >= self._config.max_steps
        return StepResult(
            observation=self._observe(),
            team_reward=earned.sum(-1),
            terminated=terminated,
            truncated=~terminated & is_late,
            individual_reward=earned,
            won=leaving & (self._health > 0).any(-1),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Time, health, and who is ill."""
        return {
            "step": self._step,
            "health": self._health,
            "ill": self._ill,
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on at that time, in that health.

        Args:
            state: what ``state_dict`` gave.
        """
        device = self._step.device
        self._step = state["step"].to(device)
        self._health = state["health"].to(device)
        self._ill = state["ill"].to(device)

    def _observe(self) -> Observation:
        games, agents = self._health.shape
        alive = self._health > 0
        time = (self._step / self._config.max_steps).unsqueeze(-1)
        every_time = time.expand(games, agents)
        body = torch.stack(
            [
                every_time,
                self._health / 2,
                self._ill.float(),
            ],
            -1,
        )
        identity = torch.eye(agents, device=time.device).expand(
            games,
            agents,
            agents,
        )
        index = torch.arange(agents, device=time.device)
        # Agent i sees itself, then i + 1, i + 2 and so on.
        in_sight = (index.unsqueeze(-1) + index) % agents
        living = body * alive.unsqueeze(-1)
        return Observation(
            features=torch.cat([body, identity], -1),
            entities=living[:, in_sight],
            entity_mask=alive[:, in_sight],
            state=torch.cat([time, self._health / 2], -1),
            action_mask=self._legal(alive),
            alive=alive,
        )

    def _legal(self, alive: Bool[Tensor, "E N"]) -> Bool[Tensor, "E N A"]:
        shape = (*alive.shape, _ACTIONS)
        legal = torch.ones(
            shape,
            dtype=torch.bool,
            device=alive.device,
        )
        may_leave = 2 * self._step >= self._config.max_steps
        legal[..., LEAVE] = may_leave.unsqueeze(-1)
        legal &= ~self._ill.unsqueeze(-1)
        legal[..., NO_OP] |= ~alive
        return legal


#: What hosts are tried on where a case does not say otherwise.
PRACTICE = EnvironmentCase(partial(Practice, PracticeConfig()))
