"""Collecting whole episodes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from marl_core.collection.episodes import Play, games_of
from marl_core.joint_policy import JointSampler, draw_components
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Memory, Observation, Progress, Rollout

#: With fewer than this share of the games still on, the host is asked for those alone.
_FEW = 0.75


class Collector:
    """Plays an environment's games from reset to their ends.

    Args:
        environment: whose games are played, all at once.
        generator: for the team's coins and actions.
        episodes: how many a rollout has. With more than there are games, a game that has ended is started anew until
            as many have begun; by default as many as there are games.
        use_table: evaluate a host without memory on the environment's table of distinct observations, if it has one.
    """

    def __init__(
        self,
        environment: Environment,
        generator: torch.Generator,
        *,
        episodes: int | None = None,
        use_table: bool = True,
    ) -> None:
        self._environment, self._generator, self._episodes = (
            environment,
            generator,
            episodes,
        )
        self._table = environment.distinct_observations
        self._use_table = use_table and self._table is not None

    @torch.no_grad()
    def collect(
        self, host: HostAlgorithm, exploration: ExplorationStrategy, progress: Progress
    ) -> Rollout:
        """Whole episodes under the strategy's joint policy, in the order in which they began.

        Which episodes are played does not depend on how long they last: as many as are asked for are begun, and all of
        them are played to their ends. A host without memory on an environment with a table of distinct observations is
        evaluated once on the table; otherwise it is evaluated on every observation.
        """
        table, weights = (
            self.table(host),
            exploration.component_weights(progress, self._generator.device),
        )
        observation = self._seen(self._environment.reset(), table)
        games = games_of(observation)
        play = Play(
            observation,
            host.initial_memory(games),
            self._episodes or games,
            self._environment.spec.max_steps,
        )
        component = draw_components(weights, games, self._generator)
        sampler = (
            self._sampler(host, exploration, progress, table, {})[0]
            if table is not None
            else None
        )
        while True:
            if exploration.redraw_every_step and play.steps:
                component = draw_components(weights, games, self._generator)
            if sampler is not None:
                actions, memory = (
                    sampler.draw(
                        component, self._generator, play.observation.situation
                    ),
                    play.memory,
                )
            else:
                actions, memory = self._act(
                    host, exploration, progress, play, component
                )
            if (
                play.observation.alive is not None
            ):  # with a table, or without action masks, no mask stops the dead
                actions = actions.masked_fill(~play.observation.alive, NO_OP)
            result = self._environment.step(actions)
            play.advance(
                actions,
                component,
                memory,
                result,
                self._seen(result.observation, table),
            )
            if not self._any_ended(play):
                continue
            again = play.to_begin_again()
            if again is not None:
                play.begin_again(
                    again,
                    self._seen(self._environment.reset(again), table),
                    host.initial_memory(games),
                )
                component = torch.where(
                    again, draw_components(weights, games, self._generator), component
                )
            elif play.is_over():
                return play.rollout(progress, table)

    def _any_ended(self, play: Play) -> bool:
        """Asking the games costs a synchronisation with the device: not where the answer is known."""
        spec = self._environment.spec
        return (
            len(play.steps) % spec.max_steps == 0
            if spec.fixed_length
            else play.any_ended()
        )

    def _act(
        self,
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        play: Play,
        component: Tensor,
    ) -> tuple[Tensor, Memory]:
        """The actions of all games; where only few are on, the host is asked for those, and the others do nothing."""
        rows = None if self._environment.spec.fixed_length else play.few_on(_FEW)
        observation, memory = play.observation, play.memory
        if rows is None:
            sampler, memory = self._sampler(
                host, exploration, progress, observation, memory
            )
            return sampler.draw(component, self._generator), memory
        few: Memory = {name: value[rows] for name, value in memory.items()}
        sampler, few = self._sampler(
            host, exploration, progress, observation.map(lambda x: x[rows]), few
        )
        drawn = sampler.draw(component[rows], self._generator)
        actions = drawn.new_full(
            (component.shape[0], drawn.shape[1]), NO_OP
        ).index_copy(0, rows, drawn)
        return actions, {
            name: memory[name].index_copy(0, rows, value) for name, value in few.items()
        }

    def table(self, host: HostAlgorithm) -> Observation | None:
        """The table of distinct observations that the host's rollouts come with; None where it is not used."""
        return self._table if self._use_table and not host.needs.memory else None

    def _seen(self, observation: Observation, table: Observation | None) -> Observation:
        """The observation as it goes into the rollout: written out where the table is not used."""
        if table is not None or self._table is None:
            return observation
        return replace(observation.look_up(self._table), situation=None)

    @staticmethod
    def _sampler(
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        observation: Observation,
        memory: Memory,
    ) -> tuple[JointSampler, Memory]:
        scores, memory = host.scores(observation, memory)
        return exploration.joint_policy(
            scores, observation.legal_actions(), progress
        ).sampler(), memory
