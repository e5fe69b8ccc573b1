"""Collecting whole episodes."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import RebuildsMemory
from marl_core.collection.episodes import GamesInPlay, games_of
from marl_core.collection.team import Team
from marl_core.entity_rows import write_out_entities
from marl_core.observation_table import look_up, table_of
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Observation, Progress, Rollout, StepResult

#: With fewer than this share of the games still on, the host is asked for those alone.
_FEW = 0.75


@final
class Collector:
    """Plays an environment's games from reset to their ends.

    Args:
        environment: whose games are played, all at once.
        generator: for the team's components and actions.
        episodes: how many a rollout has. With more than there are games, a game that has ended is
            started anew until enough have begun; by default there are as many episodes as games.
        use_table: evaluate a host without memory on the environment's table of distinct
            observations, if it has one.
    """

    def __init__(
        self,
        environment: Environment,
        generator: torch.Generator,
        *,
        episodes: int | None = None,
        use_table: bool = True,
    ) -> None:
        self._environment = environment
        self._generator = generator
        self._episodes = episodes
        self._table = table_of(environment)
        has_table = self._table is not None and environment.spec.box is None
        self._use_table = use_table and has_table
        self._entity_rows = False

    @torch.no_grad()
    def collect(
        self, host: HostAlgorithm, exploration: ExplorationStrategy, progress: Progress
    ) -> Rollout:
        """Play whole episodes under the strategy's law.

        Which episodes are played does not depend on how long they last: a fixed number is begun,
        and all of them are played to their ends. A host without memory on an environment with a
        table of distinct observations is evaluated once on the table; otherwise it is evaluated on
        every observation.

        Args:
            host: scores actions.
            exploration: how the team explores.
            progress: how far the run is.

        Returns:
            The episodes, in the order in which they began.
        """
        self._entity_rows = host.capabilities.entity_rows
        table = self.table(host, exploration)
        observation = self._seen(self._reset(), table)
        games = self._begin(host, observation)
        team = Team(
            host,
            exploration,
            progress,
            table,
            observation,
            self._generator,
        )
        while True:
            if games.steps:
                team.begin_step(games.observation)
            self._step(team, games, table)
            if not self._any_ended(games):
                continue
            if not self._begin_again(host, team, games, table) and games.is_over():
                return games.rollout(progress, table)

    def table(
        self, host: HostAlgorithm, exploration: ExplorationStrategy
    ) -> Observation | None:
        """The table of distinct observations that rollouts come with; None where it is not used.

        Args:
            host: with a memory, it sees more than the table has.
            exploration: with a law that depends on the whole game, a table of what single agents
                see is not enough.
        """
        needs = exploration.coupling.needs
        whole_game = needs.whole_game or needs.component_scores
        if not self._use_table or host.capabilities.memory or whole_game:
            return None
        return self._table

    def _begin(self, host: HostAlgorithm, observation: Observation) -> GamesInPlay:
        games = games_of(observation)
        return GamesInPlay(
            observation,
            host.initial_memory(games),
            self._episodes or games,
            self._environment.spec.max_steps,
            keep_memory=not isinstance(host, RebuildsMemory),
        )

    def _step(
        self,
        team: Team,
        games: GamesInPlay,
        table: Observation | None,
    ) -> None:
        fixed_length = self._environment.spec.fixed_length
        few = None if fixed_length or table is not None else games.few_on(_FEW)
        actions, memory = team.act(games, few)
        alive = games.observation.alive
        if alive is not None:
            # With a table, or without action masks, no mask stops the dead.
            dead = ~alive if actions.dim() == 2 else ~alive.unsqueeze(-1)
            actions = actions.masked_fill(dead, NO_OP)
        result = self._stepped(actions)
        observation = self._seen(result.observation, table)
        games.advance(
            actions,
            team.component,
            memory,
            result,
            observation,
        )

    def _stepped(
        self, actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]
    ) -> StepResult:
        """A step of all games, never in mixed precision: that is for networks, not for games.

        Numbers are clipped to their box on the way; learners get them as they were drawn.
        """
        box = self._environment.spec.box
        if box is not None:
            actions = box.clipped(actions)
        device = actions.device.type
        if not torch.is_autocast_enabled(device):
            return self._environment.step(actions)
        with torch.autocast(device, enabled=False):
            return self._environment.step(actions)

    def _reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        device = self._generator.device.type
        if not torch.is_autocast_enabled(device):
            return self._environment.reset(games)
        with torch.autocast(device, enabled=False):
            return self._environment.reset(games)

    def _begin_again(
        self,
        host: HostAlgorithm,
        team: Team,
        games: GamesInPlay,
        table: Observation | None,
    ) -> bool:
        """Start games anew that have just ended, while episodes are missing.

        Whether there was any to start.
        """
        again = games.to_begin_again()
        if again is None:
            return False
        observation = self._seen(self._reset(again), table)
        games.begin_again(
            again,
            observation,
            host.initial_memory(len(again)),
        )
        team.begin_again(again, observation)
        return True

    def _any_ended(self, games: GamesInPlay) -> bool:
        """Whether a game ended.

        Asking the games makes the CPU wait for the device: not where the answer is known.
        """
        spec = self._environment.spec
        if spec.fixed_length:
            return len(games.steps) % spec.max_steps == 0
        return games.any_ended()

    def _seen(self, observation: Observation, table: Observation | None) -> Observation:
        """The observation as it goes into the rollout: written out where the table is not used, or
        where the host takes no rows of entities.
        """
        if table is None and self._table is not None:
            observation = look_up(observation, self._table)
        return observation if self._entity_rows else write_out_entities(observation)
