"""Collecting whole episodes."""

from __future__ import annotations

from typing import final

import torch

from marl_core.abilities import RebuildsMemory
from marl_core.collection.episodes import GamesInPlay, games_of
from marl_core.collection.stepping import Stepping, seen, without_the_dead
from marl_core.collection.team import Team
from marl_core.observation_table import table_of
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import Observation, Progress, Rollout

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
        self._stepping = Stepping(environment, generator.device)
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
        observation = self._seen(self._stepping.reset(), table)
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
                team.draws.begin_step(games.observation)
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
        actions, memory = team.act(games.observation, games.memory, few)
        actions = without_the_dead(actions, games.observation.alive)
        result = self._stepping.step(actions)
        observation = self._seen(result.observation, table)
        games.advance(
            actions,
            team.draws.component,
            memory,
            result,
            observation,
        )

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
        observation = self._seen(self._stepping.reset(again), table)
        games.begin_again(
            again,
            observation,
            host.initial_memory(len(again)),
        )
        team.draws.begin_again(again, observation)
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
        """The observation as it goes into the rollout: written out where the table is not used."""
        written_out = self._table if table is None else None
        return seen(
            observation,
            table=written_out,
            entity_rows=self._entity_rows,
        )
