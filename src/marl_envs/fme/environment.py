"""FME as a batched environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_core.rendering.viewer import Viewer
from marl_core.rng import uniform
from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.fme.config import FMEConfig
from marl_envs.fme.rewards import LevelTable


@final
class FME:
    """Fast Multi-agent Evaluation: a team passes levels in order, one joint action at each (Appendix A.2).

    The episode ends after the last level. Agent i at level l sees the level index and its own one-hot identity, so
    there are only L x N observations. The state is the level, one-hot. Rewards are the team's; no agent dies and every
    action is legal.
    """

    Config = FMEConfig

    def __init__(
        self,
        config: FMEConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        levels = config.resolved_levels()
        self._config, self._generator = config, generator
        self._rewards = LevelTable.build(levels, config.agents, config.actions, device)
        self._level = torch.zeros(games, dtype=torch.int64, device=device)
        self._table = _observations(
            len(levels), config.agents, config.level_index, device
        )
        self._spec = config.spec()

    @property
    def spec(self) -> EnvironmentSpec:
        """What FME gives."""
        return self._spec

    @property
    def distinct_observations(self) -> Observation:
        """All that agents can see: a row for each level."""
        return self._table

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Send the games in the mask back to the first level."""
        self._level = (
            torch.zeros_like(self._level)
            if games is None
            else torch.where(games, 0, self._level)
        )
        return self._observe()

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Reward the joint action at the level of each game and go on to the next level."""
        level, last = self._level, self._spec.max_steps - 1
        reward = self._rewards.sample(
            level, actions, uniform((level.shape[0],), self._generator)
        )
        self._level = (level + 1).clamp(max=last)
        terminated = level == last
        return StepResult(
            self._observe(),
            reward,
            terminated,
            torch.zeros_like(terminated),
            level=level,
        )

    def expected_rewards(self, joint: JointPolicy) -> Float[Tensor, "L"]:
        """Closed form of every level's expected reward (Eq. 5, Eq. 19)."""
        return self._rewards.expected(joint)

    def viewer(self) -> Viewer:
        """Shows who does what at each level, over training."""
        from marl_envs.fme.viewer import LevelViewer  # training needs no picture

        return LevelViewer(self._config)

    def state_dict(self) -> dict[str, Tensor]:
        """The level that each game is at."""
        return {"level": self._level}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put each game at its level."""
        self._level = state["level"].to(self._level.device)

    def _observe(self) -> Observation:
        return Observation(
            situation=self._level.unsqueeze(-1).expand(-1, self._spec.agents)
        )


def _observations(
    levels: int, agents: int, level_index: str, device: torch.device | str
) -> Observation:
    """What agent i sees at level l: the level index, then the identity as one-hot."""
    index = torch.arange(levels, dtype=torch.float32)
    if level_index == "one_hot":
        level = torch.eye(levels)
    else:
        level = (
            (index - index.mean()) / index.std(correction=0).clamp(min=1.0)
        ).unsqueeze(-1)
    shape = (levels, agents)
    features = torch.cat(
        [level.unsqueeze(1).expand(*shape, -1), torch.eye(agents).expand(*shape, -1)],
        dim=-1,
    )
    return Observation(
        features=features.to(device), state=torch.eye(levels, device=device)
    )
