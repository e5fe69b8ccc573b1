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
    """Fast Multi-agent Evaluation (Appendix A.2).

    A team passes L levels in order and takes one joint action at each of them. The episode ends
    after the last level. Agent i at level l sees the level index and its own one-hot identity, so
    there are only L x N distinct observations. The state is the one-hot level. Rewards are the
    team's; no agent dies, and every action is legal.

    Args:
        config: the settings.
        games: the number of games.
        device: where they are played.
        generator: where rewards are drawn.
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
        self._config = config
        self._generator = generator
        self._rewards = LevelTable.build(
            levels,
            config.agents,
            config.actions,
            device,
        )
        self._level = torch.zeros(games, dtype=torch.int64, device=device)
        self._table = _observations(config, len(levels), device)
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
        """Send games back to the first level.

        Args:
            games: which ones; None: all of them.
        """
        if games is None:
            self._level = torch.zeros_like(self._level)
        else:
            self._level = torch.where(games, 0, self._level)
        return self._observe()

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Reward the joint action at the level of each game, and go on to the next level.

        Args:
            actions: of the agents.
        """
        level = self._level
        last = self._spec.max_steps - 1
        draw = uniform((level.shape[0],), self._generator)
        reward = self._rewards.sample(level, actions, draw)
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
        """The exact expected reward at each level (Eq. 5, Eq. 19).

        Args:
            joint: the law of the joint action at each level.
        """
        return self._rewards.expected(joint)

    def viewer(self) -> Viewer:
        """What shows who does what at each level, as pages and pictures."""
        # Training needs no pictures.
        from marl_envs.fme.viewer import LevelViewer

        return LevelViewer(self._config)

    def state_dict(self) -> dict[str, Tensor]:
        """The level that each game is at."""
        return {"level": self._level}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put each game at its level.

        Args:
            state: what ``state_dict`` has given.
        """
        self._level = state["level"].to(self._level.device)

    def _observe(self) -> Observation:
        level = self._level.unsqueeze(-1)
        return Observation(row=level.expand(-1, self._spec.agents))


def _observations(
    config: FMEConfig,
    levels: int,
    device: torch.device | str,
) -> Observation:
    """What each agent sees at each level: the level index, then its one-hot identity."""
    shape = (levels, config.agents)
    index = _level_index(config, levels).unsqueeze(1).expand(*shape, -1)
    identity = torch.eye(config.agents).expand(*shape, -1)
    features = torch.cat([index, identity], dim=-1)
    return Observation(
        features=features.to(device),
        state=torch.eye(levels, device=device),
    )


def _level_index(
    config: FMEConfig,
    levels: int,
) -> Float[Tensor, "L features"]:
    """Each level as agents see it: one-hot, or a number of mean 0 and variance 1."""
    if config.level_index == "one_hot":
        return torch.eye(levels)
    index = torch.arange(levels, dtype=torch.float32)
    deviation = index - index.mean()
    spread = index.std(correction=0).clamp(min=1.0)
    return (deviation / spread).unsqueeze(-1)
