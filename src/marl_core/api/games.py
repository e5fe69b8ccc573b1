"""Games for a policy to act in, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import Closes
from marl_core.observation_table import look_up, table_of
from marl_core.protocols import Environment
from marl_core.types import EnvironmentSpec, Observation, StepResult

#: Is told which games are started anew, and where they are played.
Begin = Callable[[Tensor, "Games"], None]


@final
class Games:
    """Games to act in: an environment that knows which of its games have ended.

    Usage::

        games = policy.make_environment(games=4, seed=0)
        observation = games.reset()
        while not games.all_done:
            observation, reward, done = games.step(policy(observation))

    Args:
        environment: any.
        games: E, how many it plays.
        begin: is told which games are started anew, ``[E]``, and where: a policy then forgets what
            it remembers of them.

    Attributes:
        environment: the environment itself.
        done: which games have ended, ``[E]``.
        last: what came of the last step; None before the first.
    """

    def __init__(
        self,
        environment: Environment,
        games: int,
        begin: Begin,
    ) -> None:
        self.environment = environment
        self.done: Bool[Tensor, "E"] = torch.ones(games, dtype=torch.bool)
        self.last: StepResult | None = None
        self._games = games
        self._begin = begin
        self._table = table_of(environment)

    @property
    def spec(self) -> EnvironmentSpec:
        """What the environment gives."""
        return self.environment.spec

    @property
    def all_done(self) -> bool:
        """Whether every game has ended."""
        return bool(self.done.all())

    def reset(
        self,
        games: Bool[Tensor, "E"] | None = None,
    ) -> Observation:
        """Start games anew.

        Args:
            games: which ones, ``[E]``; None: all of them.

        Returns:
            What the agents of every game see. A table of distinct observations is written out.
        """
        observation = self.environment.reset(games)
        again = torch.ones(self._games, dtype=torch.bool) if games is None else games
        self.done = self.done & ~again
        self._begin(again, self)
        return self._seen(observation)

    def step(
        self, actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]
    ) -> tuple[Observation, Float[Tensor, "E"], Bool[Tensor, "E"]]:
        """Advance every game by one step. All else that came of it is in ``last``.

        Args:
            actions: each agent's action, ``[E, N]``, or ``[E, N, D]`` in a box; those of ended
                games do not count.

        Returns:
            What the agents see, the team's reward ``[E]`` (0 in games that had ended before), and
            which games have ended, ``[E]``.
        """
        result = self.environment.step(actions)
        reward = result.team_reward.masked_fill(self.done, 0)
        self.done = self.done | result.ended
        self.last = result
        return self._seen(result.observation), reward, self.done

    def close(self) -> None:
        """Give back what the environment holds, if it holds anything."""
        if isinstance(self.environment, Closes):
            self.environment.close()

    def _seen(self, observation: Observation) -> Observation:
        return observation if self._table is None else look_up(observation, self._table)
