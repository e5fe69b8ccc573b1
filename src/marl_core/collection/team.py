"""A team that acts: a host's scores, an exploration's law, and what each game's team has drawn."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import HasComponentScores
from marl_core.collection.draws import Drawn, Draws
from marl_core.exploration.coupled import team_law
from marl_core.joint_policy import JointSampler, TeamLaw
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Memory, Observation, Progress


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
        drawn: what the teams have drawn already, where their games go on. A component that holds
            for a single step is drawn anew all the same.
    """

    def __init__(
        self,
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        table: Observation | None,
        observation: Observation,
        generator: torch.Generator,
        drawn: Drawn | None = None,
    ) -> None:
        self._host = host
        self._exploration = exploration
        self._progress = progress
        self._generator = generator
        self.draws = Draws(
            exploration.coupling,
            progress,
            generator,
            observation,
            drawn,
        )
        self._table_sampler: JointSampler | None = None
        if table is not None:
            scores, _ = self._scores(table, {})
            legal = table.legal_actions()
            law = self._law(scores, legal, self.draws.weights)
            self._table_sampler = law.sampler()

    def act(
        self,
        observation: Observation,
        memory: Memory,
        few: Int[Tensor, "few"] | None = None,
    ) -> tuple[Int[Tensor, "E N"] | Float[Tensor, "E N D"], Memory]:
        """The actions of all games, and the host's memory for the next step.

        Args:
            observation: what the agents see, leading axis E.
            memory: the host's.
            few: the indices of the games that are on, where they are few: the host is asked for
                those alone, and the agents of the others do nothing. None: it is asked for all.
        """
        component = self.draws.component
        if self._table_sampler is not None:
            row = observation.row
            return self._table_sampler.draw(component, self._generator, row), memory
        if few is not None:
            return self._act_in(few, observation, memory)
        scores, memory = self._scores(observation, memory)
        legal = observation.legal_actions()
        if self.draws.alike:
            return self._draw_apart(scores, legal), memory
        law = self._law(scores, legal, self.draws.weights)
        return law.sampler().draw(component, self._generator), memory

    def _act_in(
        self, few: Tensor, observation: Observation, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Act in few games; the agents of the others do nothing, and their memory stays."""
        remembered: Memory = {name: value[few] for name, value in memory.items()}
        weights, component = self.draws.weights, self.draws.component
        seen = observation.map(lambda x: x[few])
        scores, remembered = self._scores(seen, remembered)
        own = weights if weights.dim() == 1 else weights[few]
        law = self._law(scores, seen.legal_actions(), own)
        drawn = law.sampler().draw(component[few], self._generator)
        shape = (len(component), *drawn.shape[1:])
        actions = drawn.new_full(shape, NO_OP).index_copy(0, few, drawn)
        updated = {}
        for name, value in remembered.items():
            updated[name] = memory[name].index_copy(0, few, value)
        return actions, updated

    def _draw_apart(
        self,
        scores: Float[Tensor, "*C E N A"],
        legal: Bool[Tensor, "E N A"] | None,
    ) -> Tensor:
        """Draw for games whose teams have drawn their components at different times."""
        component = self.draws.component
        parts = []
        for games, weights in self.draws.alike:
            law = self._law(
                scores.index_select(-3, games),
                None if legal is None else legal[games],
                weights,
            )
            parts.append(law.sampler().draw(component[games], self._generator))
        order = torch.cat([games for games, _ in self.draws.alike]).argsort()
        return torch.cat(parts)[order]

    def _scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*C E N A"], Memory]:
        if not self._exploration.coupling.needs.component_scores:
            return self._host.scores(observation, memory)
        host = self._host
        assert isinstance(host, HasComponentScores), "seen to when the stage began"
        return host.component_scores(observation, memory)

    def _law(
        self,
        scores: Tensor,
        legal: Tensor | None,
        weights: Tensor,
    ) -> TeamLaw:
        return team_law(
            self._exploration,
            scores,
            legal,
            self._progress,
            weights,
        )
