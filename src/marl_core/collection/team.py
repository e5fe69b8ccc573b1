"""A team that acts: a host's scores, an exploration's law, and what each game's team has drawn."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import HasComponentScores
from marl_core.collection.episodes import GamesInPlay, games_of
from marl_core.exploration.coupled import team_law
from marl_core.joint_policy import JointSampler, TeamLaw, draw_components
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Memory, Moment, Observation, Progress


@final
class Team:
    """Acts in all games of a collection.

    Args:
        host: scores actions.
        exploration: the individual policies, and what the team shares.
        progress: how far the run is; it stays so for the whole collection.
        table: the environment's table of distinct observations, where the host is evaluated on it;
            else None.
        observation: what the agents of each game see at the beginning, leading axis E; every team
            draws a component.
        generator: for the components and the actions.
    """

    def __init__(
        self,
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        table: Observation | None,
        observation: Observation,
        generator: torch.Generator,
    ) -> None:
        self._host = host
        self._exploration = exploration
        self._progress = progress
        self._generator = generator
        self._coupling = exploration.coupling
        self._varies = self._coupling.needs.whole_game
        self._weights = self._weights_at(observation)
        self.component: Int[Tensor, "E"] = self._draw(games_of(observation))
        self._table_sampler: JointSampler | None = None
        if table is not None:
            law, _ = self._law(table, {}, self._weights)
            self._table_sampler = law.sampler()

    def begin_step(self, observation: Observation) -> None:
        """Draw components anew where they hold for a single step.

        Args:
            observation: what the agents of each game see now.
        """
        if self._coupling.holds == "step":
            if self._varies:
                self._weights = self._weights_at(observation)
            self.component = self._draw(games_of(observation))

    def begin_again(
        self,
        again: Bool[Tensor, "E"],
        observation: Observation,
    ) -> None:
        """Draw a component for the games that have just been started anew.

        Args:
            again: which games.
            observation: what the agents of every game see now.
        """
        if self._varies:
            weights = self._weights_at(observation)
            if weights.dim() > 1:
                weights = torch.where(
                    again.unsqueeze(-1),
                    weights,
                    self._weights,
                )
            self._weights = weights
        drawn = self._draw(games_of(observation))
        self.component = torch.where(again, drawn, self.component)

    def act(
        self,
        games: GamesInPlay,
        few: Int[Tensor, "few"] | None,
    ) -> tuple[Int[Tensor, "E N"] | Float[Tensor, "E N D"], Memory]:
        """The actions of all games, and the host's memory for the next step.

        Args:
            games: where the games are.
            few: the indices of the games that are on, where they are few: the host is asked for
                those alone, and the agents of the others do nothing. None: it is asked for all.
        """
        observation = games.observation
        memory = games.memory
        if self._table_sampler is not None:
            row = observation.row
            drawn = self._table_sampler.draw(self.component, self._generator, row)
            return drawn, memory
        if few is not None:
            return self._act_in(few, observation, memory)
        law, memory = self._law(observation, memory, self._weights)
        return law.sampler().draw(self.component, self._generator), memory

    def _act_in(
        self, few: Tensor, observation: Observation, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Act in few games; the agents of the others do nothing, and their memory stays."""
        remembered: Memory = {name: value[few] for name, value in memory.items()}
        weights = self._weights if self._weights.dim() == 1 else self._weights[few]
        seen = observation.map(lambda x: x[few])
        law, remembered = self._law(seen, remembered, weights)
        drawn = law.sampler().draw(
            self.component[few],
            self._generator,
        )
        shape = (self.component.shape[0], *drawn.shape[1:])
        actions = drawn.new_full(shape, NO_OP).index_copy(0, few, drawn)
        updated = {}
        for name, value in remembered.items():
            updated[name] = memory[name].index_copy(0, few, value)
        return actions, updated

    def _law(
        self, observation: Observation, memory: Memory, weights: Tensor
    ) -> tuple[TeamLaw, Memory]:
        if self._coupling.needs.component_scores:
            host = self._host
            assert isinstance(host, HasComponentScores), "seen to when the stage began"
            scores, memory = host.component_scores(observation, memory)
        else:
            scores, memory = self._host.scores(observation, memory)
        legal = observation.legal_actions()
        law = team_law(
            self._exploration,
            scores,
            legal,
            self._progress,
            weights,
        )
        return law, memory

    def _weights_at(self, observation: Observation) -> Tensor:
        device = self._generator.device
        return self._coupling.weights(Moment(self._progress, device, observation))

    def _draw(self, games: int) -> Int[Tensor, "E"]:
        return draw_components(self._weights, games, self._generator)
