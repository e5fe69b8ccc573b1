"""Games of another library as an environment of the kernel."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.adapters.config import AdapterConfig, GymnasiumConfig, PettingZooConfig
from marl_envs.adapters.opponents_config import AgainstOthers
from marl_envs.adapters.playing import Players, PlayersElsewhere, PlayersHere
from marl_envs.adapters.seeds import seeds_of

if TYPE_CHECKING:
    from marl_envs.adapters.frozen import FrozenTeam


class AdaptedEnvironment:
    """E games of an environment from another library.

    Each game gets a seed of its own at each reset, drawn from the generator. So the games do not
    depend on how many processes play them.

    Args:
        config: which environment, and how it is seen.
        games: E.
        device: where the tensors are.
        generator: where the seeds come from.
    """

    def __init__(
        self,
        config: AdapterConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec: EnvironmentSpec = config.spec()
        self._config = config
        self._device = torch.device(device)
        self._generator = generator
        self._players = _players(config, games)
        self._frozen = _frozen_teams(config, generator)
        # A process that is never closed must not outlive this object.
        self.close = weakref.finalize(self, self._players.close)

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew.

        Args:
            games: which ones; None: all of them.
        """
        rows = self._players.rows
        seeds = seeds_of(len(rows.seeds), self._generator)
        if games is not None:
            seeds = torch.where(games.to(seeds.device), seeds, -1)
        rows.seeds[:, 0] = seeds.cpu().numpy()
        self._players.ask("reset")
        for team in self._frozen:
            team.begin(games)
        return self._observation()

    def step(self, actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]) -> StepResult:
        """Advance every game that has not ended.

        Args:
            actions: of each agent.
        """
        rows = self._players.rows
        rows.actions[:] = actions.cpu().numpy()
        for team, seen in zip(self._frozen, rows.frozen, strict=True):
            team.act(seen)
        self._players.ask("step")
        reward = self._tensor(rows.reward)
        own = self._own(reward) if self.spec.individual_reward else None
        return StepResult(
            observation=self._observation(),
            team_reward=reward.mean(-1),
            terminated=self._tensor(rows.terminated[:, 0]),
            truncated=self._tensor(rows.truncated[:, 0]),
            individual_reward=own,
        )

    def _own(self, reward: Float[Tensor, "E N"]) -> Float[Tensor, "E N"]:
        """What each agent learns from: its own reward, or the mean of its team's."""
        teams = self.spec.teams
        if self._config.reward == "own" or teams is None:
            return reward
        team = torch.tensor(teams, device=reward.device)
        together = (team.unsqueeze(0) == team.unsqueeze(-1)).to(reward.dtype)
        return reward @ (together / together.sum(-1))

    def _observation(self) -> Observation:
        rows, spec = self._players.rows, self.spec
        features = self._tensor(rows.features)
        return Observation(
            features,
            state=self._state(features),
            action_mask=self._tensor(rows.legal) if spec.action_masks else None,
            alive=self._tensor(rows.alive) if spec.agents_die else None,
        )

    def _state(self, features: Float[Tensor, "E N O"]) -> Float[Tensor, "E S"] | None:
        if self._config.state == "none":
            return None
        if self._config.state == "joined":
            return features.flatten(1).clone()
        return self._tensor(self._players.rows.state)

    def _tensor(self, array: np.ndarray) -> Tensor:
        """A copy: the next request writes into the array."""
        return torch.tensor(array, device=self._device)


def _frozen_teams(
    config: AdapterConfig, generator: torch.Generator
) -> list[FrozenTeam]:
    if not isinstance(config, AgainstOthers) or not config.frozen:
        return []
    # Late: it needs what loads runs, and most environments have no such opponents.
    from marl_envs.adapters.frozen import FrozenTeam

    teams = []
    for (_, opponent), layout in zip(
        config.frozen, config.layout().frozen, strict=True
    ):
        teams.append(FrozenTeam(opponent, layout, generator))
    return teams


def _players(config: AdapterConfig, games: int) -> Players:
    layout = config.layout()
    if config.workers == 0:
        return PlayersHere(config.maker(), layout, games)
    return PlayersElsewhere(config.maker(), layout, games, config.workers)


@final
class PettingZoo(AdaptedEnvironment):
    """Any installed parallel environment of PettingZoo."""

    Config: ClassVar = PettingZooConfig


@final
class GymnasiumTeam(AdaptedEnvironment):
    """Any installed environment of Gymnasium whose observations and actions are tuples."""

    Config: ClassVar = GymnasiumConfig
