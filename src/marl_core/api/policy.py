"""A trained team that acts step by step."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.api.games import Games
from marl_core.collection.episodes import games_of
from marl_core.construction import build_environment
from marl_core.entity_rows import write_out_entities
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import Mode, uncoupled
from marl_core.exploration.coupled import team_law
from marl_core.observation_table import look_up, table_of
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import (
    NO_OP,
    EnvironmentSpec,
    Memory,
    Moment,
    Observation,
)


@final
class Policy:
    """A trained team. Called with what its agents see, it says what they do.

    Nothing is shared by the team: its coupling is left out. The look-up in a table of distinct
    observations and the host's memory are the policy's own business; so it acts in one set of
    games at a time.

    Args:
        state: the run, as it is at a checkpoint.
        mode: whether each agent takes its most probable action, or draws one from its individual
            policy.
        seed: of the draws.
        draws: where the draws come from, on the device of the host's parameters; None: from a
            stream of their own, named by the run's seed and by ``seed``.
    """

    def __init__(
        self,
        state: RunState,
        mode: Mode = "greedy",
        seed: int = 0,
        draws: torch.Generator | None = None,
    ) -> None:
        self.state = state
        self.mode: Mode = mode
        self._team = uncoupled(state.exploration.individual, mode)
        own = generator("cpu", state.config.seed, "acting", "act", seed)
        self._generator = own if draws is None else draws
        self._table: Observation | None = None
        self._memory: Memory | None = None
        self._games: Games | None = None

    @property
    def spec(self) -> EnvironmentSpec:
        """What the environment gives that the team was trained in."""
        return self.state.spec

    def make_environment(
        self,
        games: int = 1,
        seed: int = 0,
    ) -> Games:
        """Games like those that the team was trained in, on the CPU.

        Args:
            games: E, how many are played at once.
            seed: all their randomness comes from this and from the run's own seed.
        """
        config = self.state.config
        play = generator("cpu", config.seed, "acting", "play", seed)
        environment = build_environment(
            config.environment, games=games, device="cpu", generator=play
        )
        self._table = table_of(environment)
        return Games(environment, games, self.begin)

    def begin(
        self,
        again: Bool[Tensor, "E"] | None = None,
        games: Games | None = None,
    ) -> None:
        """Forget what the host remembers of games that are started anew.

        Games from ``make_environment`` call it. With an environment of your own, call it yourself
        whenever you reset games.

        Args:
            again: which games, ``[E]``; None: all of them.
            games: where they are played; the policy acts there from now on.

        Raises:
            UserError: some games go on, but the policy does not know them.
        """
        goes_on = again is not None and not bool(again.all())
        if goes_on:
            self._check_played(games)
        self._games = games
        if again is None or not goes_on or self._memory is None:
            self._memory = None
            return
        fresh = self.state.host.initial_memory(len(again))
        self._memory = {
            name: torch.where(_beside(again, old), fresh[name], old)
            for name, old in self._memory.items()
        }

    @torch.no_grad()
    def __call__(
        self,
        observation: Observation,
    ) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
        """What every agent does.

        Args:
            observation: what the agents see, leading axis E. It must be that of the step after the
                last one that the policy was asked for: the host may remember.

        Returns:
            Each agent's action, ``[E, N]``; that of a dead agent is 0. Where actions are numbers,
            ``[E, N, D]``, clipped to their box.
        """
        seen = self._written_out(observation)
        if self._memory is None:
            self._memory = self.state.host.initial_memory(games_of(seen))
        scores, self._memory = self.state.host.scores(seen, self._memory)
        progress = self.state.progress
        moment = Moment(progress, scores.device, seen)
        weights = self._team.coupling.weights(moment)
        legal = seen.legal_actions()
        law = team_law(self._team, scores, legal, progress, weights)
        component = torch.zeros(
            len(scores),
            dtype=torch.int64,
            device=scores.device,
        )
        actions = law.sampler().draw(component, self._generator)
        box = self.spec.box
        if seen.alive is not None:
            dead = ~seen.alive if box is None else ~seen.alive.unsqueeze(-1)
            actions = actions.masked_fill(dead, NO_OP)
        return actions if box is None else box.clipped(actions)

    def _written_out(
        self,
        observation: Observation,
    ) -> Observation:
        if observation.row is not None:
            if self._table is None:
                self.make_environment()
            table = self._table
            assert table is not None, "an environment with rows has a table"
            observation = look_up(observation, table)
        if self.state.host.capabilities.entity_rows:
            return observation
        return write_out_entities(observation)

    def _check_played(self, games: Games | None) -> None:
        if self._memory and games is not self._games:
            message = (
                "this policy remembers other games; take one for each: run.policy()"
            )
            raise UserError(message)

    def __repr__(self) -> str:
        config = self.state.config
        where = f"{config.host.name} on {config.environment.name}"
        return f"Policy({where}, {self.mode}, {self.state.progress.episodes} episodes)"


def _beside(
    games: Bool[Tensor, "E"],
    values: Tensor,
) -> Bool[Tensor, "E *ones"]:
    """A mask of games with as many axes as the values have."""
    return games.view(-1, *[1] * (values.dim() - 1))
