"""Bookkeeping of parallel games that end and restart; builds a rollout of whole episodes."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.late_end import LateEnd
from marl_core.collection.whole_episodes import EpisodeEnds, Step, by_episode, by_game
from marl_core.types import Memory, Observation, Progress, Rollout, StepResult


@final
class GamesInPlay:
    """How far the games are that a rollout is made of.

    Args:
        observation: what agents see at the start, leading axis E.
        memory: the host's initial memory.
        episodes: how many to play in all.
        max_steps: every game has ended after this number of steps.
        keep_memory: whether the rollout shall have the host's memory.

    Attributes:
        observation: what the agents see now.
        memory: the host's memory now.
        steps: what was seen, done and gained until now.
    """

    def __init__(
        self,
        observation: Observation,
        memory: Memory,
        episodes: int,
        max_steps: int,
        *,
        keep_memory: bool = True,
    ) -> None:
        games = games_of(observation)
        self.observation = observation
        self.memory = memory
        self.steps: list[Step] = []
        self._max_steps = max_steps
        self._episodes = episodes
        self._begun = min(games, episodes)
        self._episode = torch.arange(games, device=_device_of(observation))
        self._age = torch.zeros_like(self._episode)
        self._on = self._episode < episodes
        self._ended = torch.zeros_like(self._on)
        # As they were after the last step of each game.
        self._last = observation
        self._keep_memory = keep_memory
        self._last_memory = self._kept(memory)
        self._ends: list[EpisodeEnds] = []
        self._late_end: LateEnd | None = None
        self._expect_end()

    def advance(
        self,
        actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"],
        component: Int[Tensor, "E"],
        memory: Memory,
        result: StepResult,
        observation: Observation,
    ) -> None:
        """Take in what a step has brought.

        Args:
            actions: what each agent did.
            component: what each team had drawn.
            memory: the host's, for the next step.
            result: what came of the step.
            observation: what the agents see in the next step.
        """
        self._keep(actions, component, result)
        on = self._on
        self._last = _where(on, observation, self._last)
        self._last_memory = where_each(on, self._kept(memory), self._last_memory)
        self._age = self._age + 1
        self._ended = on & (result.ended | (self._age >= self._max_steps))
        self._on = on & ~self._ended
        self.observation = observation
        self.memory = memory

    def _keep(self, actions: Tensor, component: Tensor, result: StepResult) -> None:
        step = Step(
            self.observation,
            self._kept(self.memory),
            actions,
            component,
            self._on,
            self._episode,
            self._age,
            result,
        )
        self.steps.append(step)

    def _kept(self, memory: Memory) -> Memory:
        return memory if self._keep_memory else {}

    def _expect_end(self) -> None:
        """Once all episodes have begun, a device other than the CPU is not asked after each step.

        Before, what it begins anew depends on which games have just ended.
        """
        if self._begun == self._episodes and not self._on.is_cpu:
            self._late_end = LateEnd(len(self.steps) + self._max_steps)

    def any_ended(self) -> bool:
        """Whether a game ended in the last step and something may follow from it."""
        if self._late_end is not None:
            return self._late_end.is_known(len(self.steps), self._on)
        return bool(self._ended.any())

    def is_over(self) -> bool:
        """Whether no game is on any more."""
        if self._late_end is not None:
            return self._late_end.is_known(len(self.steps), self._on)
        return not bool(self._on.any())

    def few_on(self, share: float) -> Int[Tensor, "few"] | None:
        """The indices of the games that are on, if they are few.

        Only a CPU is the faster the fewer games are looked at. Another device is not asked.

        Args:
            share: of all games; fewer are few.
        """
        if not self._on.is_cpu:
            return None
        games = self._on.nonzero().squeeze(-1)
        return games if len(games) < share * len(self._on) else None

    def to_begin_again(self) -> Bool[Tensor, "E"] | None:
        """The games among those just ended that shall start anew.

        Returns:
            None where all episodes have begun.
        """
        missing = self._episodes - self._begun
        if not missing:
            return None
        return self._ended & (self._ended.cumsum(0) <= missing)

    def begin_again(
        self,
        again: Bool[Tensor, "E"],
        observation: Observation,
        memory: Memory,
    ) -> None:
        """Begin new episodes.

        Args:
            again: in which games.
            observation: what the agents of all games see now.
            memory: the host's initial memory.
        """
        self._ends.append(self._ends_of(again))
        self.observation = observation
        self._last = _where(again, observation, self._last)
        self.memory = where_each(again, memory, self.memory)
        self._last_memory = where_each(again, self._kept(memory), self._last_memory)
        number = self._begun + again.cumsum(0) - 1
        self._episode = torch.where(again, number, self._episode)
        self._age = self._age.masked_fill(again, 0)
        self._on = self._on | again
        self._begun = self._begun + int(again.sum())
        self._expect_end()

    def _ends_of(self, games: Bool[Tensor, "E"]) -> EpisodeEnds:
        chosen = games.nonzero().squeeze(-1)
        memory = {name: value[chosen] for name, value in self._last_memory.items()}
        last = self._last.map(lambda x: x[chosen])
        return EpisodeEnds(
            self._episode[chosen],
            last,
            memory,
        )

    def rollout(self, progress: Progress, table: Observation | None) -> Rollout:
        """All episodes, each from its first step, in the order in which they began.

        Args:
            progress: how far the run is.
            table: the environment's table of distinct observations, where it was used.
        """
        steps = self._steps_with_games_on()
        rollout = by_game(
            steps,
            self._last,
            self._last_memory,
            progress,
            table,
        )
        if len(self._on) == self._episodes:
            return rollout
        ends = [*self._ends, self._ends_of(self._episode < self._episodes)]
        return by_episode(
            rollout,
            steps,
            ends,
            self._episodes,
        )

    def _steps_with_games_on(self) -> list[Step]:
        """All steps, without those played before the end was known."""
        if self._late_end is None or not self._late_end.may_overrun:
            return self.steps
        on = torch.stack([step.on for step in self.steps])
        return self.steps[: int(on.any(1).sum())]


def games_of(observation: Observation) -> int:
    """How many games an observation is of.

    Args:
        observation: leading axis E.
    """
    return int(_any_tensor(observation).shape[0])


def _device_of(observation: Observation) -> torch.device:
    return _any_tensor(observation).device


def _any_tensor(observation: Observation) -> Tensor:
    present = list(observation.tensors().values())
    assert present, "the observation is empty"
    return present[0]


def _where(
    mask: Bool[Tensor, "E"],
    new: Observation,
    old: Observation,
) -> Observation:
    """Each game's entry from ``new`` where the mask is set, else from ``old``."""
    merged = where_each(mask, new.tensors(), old.tensors())
    return Observation(**merged)


def where_each(
    mask: Bool[Tensor, "E"],
    new: Memory,
    old: Memory,
) -> Memory:
    """Each game's entries from ``new`` where the mask is set, else from ``old``.

    Args:
        mask: which games.
        new: leading axis E.
        old: of the same names and shapes.
    """
    merged = {}
    for name, value in new.items():
        trailing = [1] * (value.dim() - 1)
        merged[name] = torch.where(
            mask.view(-1, *trailing),
            value,
            old[name],
        )
    return merged
