"""Collecting whole episodes."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch

from marl_core.abilities import HasObservationTable
from marl_core.collection.episodes import Play, games_of
from marl_core.collection.team import Team
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Observation, Progress, Rollout

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
        self._table = observation_table(environment)
        self._use_table = use_table and self._table is not None

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
        table = self.table(host, exploration)
        observation = self._seen(self._environment.reset(), table)
        play = self._play(host, observation)
        team = Team(host, exploration, progress, table, observation, self._generator)
        while True:
            if play.steps:
                team.begin_step(play.observation)
            self._step(team, play, table)
            if not self._any_ended(play):
                continue
            if not self._begin_again(host, team, play, table) and play.is_over():
                return play.rollout(progress, table)

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

    def _play(self, host: HostAlgorithm, observation: Observation) -> Play:
        games = games_of(observation)
        return Play(
            observation,
            host.initial_memory(games),
            self._episodes or games,
            self._environment.spec.max_steps,
        )

    def _step(self, team: Team, play: Play, table: Observation | None) -> None:
        fixed_length = self._environment.spec.fixed_length
        rows = None if fixed_length or table is not None else play.few_on(_FEW)
        actions, memory = team.act(play, rows)
        alive = play.observation.alive
        if alive is not None:
            # With a table, or without action masks, no mask stops the dead.
            actions = actions.masked_fill(~alive, NO_OP)
        result = self._environment.step(actions)
        observation = self._seen(result.observation, table)
        play.advance(actions, team.component, memory, result, observation)

    def _begin_again(
        self, host: HostAlgorithm, team: Team, play: Play, table: Observation | None
    ) -> bool:
        """Start games anew that have just ended, while episodes are missing.

        Whether there was any to start.
        """
        again = play.to_begin_again()
        if again is None:
            return False
        observation = self._seen(self._environment.reset(again), table)
        play.begin_again(again, observation, host.initial_memory(len(again)))
        team.begin_again(again, observation)
        return True

    def _any_ended(self, play: Play) -> bool:
        """Whether a game ended.

        Asking the games makes the CPU wait for the device: not where the answer is known.
        """
        spec = self._environment.spec
        if spec.fixed_length:
            return len(play.steps) % spec.max_steps == 0
        return play.any_ended()

    def _seen(self, observation: Observation, table: Observation | None) -> Observation:
        """The observation as it goes into the rollout: written out where the table is not used."""
        if table is not None or self._table is None:
            return observation
        return replace(observation.look_up(self._table), situation=None)


def observation_table(environment: Environment) -> Observation | None:
    """The environment's table of distinct observations; None where it has none.

    Args:
        environment: which may have one, or say None.
    """
    if not isinstance(environment, HasObservationTable):
        return None
    table: Observation | None = environment.distinct_observations
    return table
