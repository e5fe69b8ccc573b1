"""Games that end at different times and are started anew, and the rollout of whole episodes that comes of them."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from marl_core.types import Memory, Observation, Progress, Rollout, StepResult


class Step(NamedTuple):
    """One step of all games: what was before it, what was done, what came of it.

    ``episode`` and ``age`` say which episode each game is in, and which step of it this is.
    """

    observation: Observation
    memory: Memory
    actions: Tensor
    component: Tensor
    on: Tensor
    episode: Tensor
    age: Tensor
    result: StepResult


class _Ends(NamedTuple):
    """What was seen and remembered behind the last steps of some episodes."""

    episode: Tensor
    observation: Observation
    memory: Memory


@final
class Play:
    """How far the games are that a rollout is made of.

    Args:
        observation: what agents see at the start, of E games.
        memory: the host's initial memory.
        episodes: how many to play in all.
        max_steps: after so many steps every game has ended.
    """

    def __init__(
        self, observation: Observation, memory: Memory, episodes: int, max_steps: int
    ) -> None:
        self.observation, self.memory, self._max_steps = observation, memory, max_steps
        self.steps: list[Step] = []
        games, device = games_of(observation), _device_of(observation)
        self._episodes, self._begun = episodes, min(games, episodes)
        self._episode = torch.arange(games, device=device)
        self._age = torch.zeros_like(self._episode)
        self._on = self._episode < episodes
        self._ended = torch.zeros_like(self._on)
        self._last, self._last_memory = observation, memory
        self._ends: list[_Ends] = []

    def advance(
        self,
        actions: Tensor,
        component: Tensor,
        memory: Memory,
        result: StepResult,
        observation: Observation,
    ) -> None:
        """Take in what a step has brought. ``memory`` and ``observation`` are those of the next step."""
        on = self._on
        self.steps.append(
            Step(
                self.observation,
                self.memory,
                actions,
                component,
                on,
                self._episode,
                self._age,
                result,
            )
        )
        self._last = _where(on, observation, self._last)
        self._last_memory = _where_each(on, memory, self._last_memory)
        self._age = self._age + 1
        self._ended = on & (
            result.terminated | result.truncated | (self._age >= self._max_steps)
        )
        self._on = on & ~self._ended
        self.observation, self.memory = observation, memory

    def any_ended(self) -> bool:
        """Whether a game ended in the last step."""
        return bool(self._ended.any())

    def is_over(self) -> bool:
        """Whether no game is on any more."""
        return not bool(self._on.any())

    def few_on(self, share: float) -> Int[Tensor, "few"] | None:
        """The numbers of the games that are on, if they are fewer than ``share`` of all."""
        rows = self._on.nonzero().squeeze(-1)
        return rows if len(rows) < share * len(self._on) else None

    def to_begin_again(self) -> Bool[Tensor, "E"] | None:
        """The games among those just ended that shall start anew; None where all episodes have begun."""
        missing = self._episodes - self._begun
        return self._ended & (self._ended.cumsum(0) <= missing) if missing else None

    def begin_again(
        self, again: Bool[Tensor, "E"], observation: Observation, memory: Memory
    ) -> None:
        """Begin new episodes in the games ``again``.

        Args:
            observation: what all games see now.
            memory: the host's initial memory.
        """
        self._ends.append(self._ends_of(again))
        self.observation, self._last = (
            observation,
            _where(again, observation, self._last),
        )
        self.memory = _where_each(again, memory, self.memory)
        self._last_memory = _where_each(again, memory, self._last_memory)
        self._episode = torch.where(
            again, self._begun + again.cumsum(0) - 1, self._episode
        )
        self._age = self._age.masked_fill(again, 0)
        self._on, self._begun = self._on | again, self._begun + int(again.sum())

    def _ends_of(self, games: Tensor) -> _Ends:
        rows = games.nonzero().squeeze(-1)
        return _Ends(
            self._episode[rows],
            self._last.map(lambda x: x[rows]),
            _select(self._last_memory, rows),
        )

    def rollout(self, progress: Progress, table: Observation | None) -> Rollout:
        """All episodes, each from its first step, in the order in which they began."""
        rollout = _stacked(self.steps, self._last, self._last_memory, progress, table)
        games = len(self._on)
        if games == self._episodes:
            return rollout
        ends = [*self._ends, self._ends_of(self._episode < self._episodes)]
        return _by_episode(rollout, self.steps, ends, self._episodes)


def games_of(observation: Observation) -> int:
    """How many games an observation is of."""
    present = [value for value in vars(observation).values() if value is not None]
    assert present, "the observation is empty"
    return int(present[0].shape[0])


def _device_of(observation: Observation) -> torch.device:
    return next(
        value.device for value in vars(observation).values() if value is not None
    )


def _stacked(
    steps: list[Step],
    last: Observation,
    last_memory: Memory,
    progress: Progress,
    table: Observation | None,
) -> Rollout:
    """The steps one after another, game by game."""
    results = [step.result for step in steps]
    actions = torch.stack([step.actions for step in steps])
    team = torch.stack([result.team_reward for result in results])
    individual = [
        result.individual_reward
        for result in results
        if result.individual_reward is not None
    ]
    levels = [result.level for result in results if result.level is not None]
    won = [result.won for result in results if result.won is not None]
    return Rollout(
        observations=Observation.stack([step.observation for step in steps]),
        last_observation=last,
        actions=actions,
        reward=torch.stack(individual)
        if individual
        else team.unsqueeze(-1).expand(actions.shape),
        team_reward=team,
        terminated=torch.stack([result.terminated for result in results]),
        truncated=torch.stack([result.truncated for result in results]),
        valid=torch.stack([step.on for step in steps]),
        component=torch.stack([step.component for step in steps]),
        progress=progress,
        memory={
            name: torch.stack([s.memory[name] for s in steps])
            for name in steps[0].memory
        }
        or None,
        last_memory=last_memory or None,
        level=torch.stack(levels) if levels else None,
        won=torch.stack(won) if won else None,
        table=table,
    )


def _by_episode(
    rollout: Rollout, steps: list[Step], ends: list[_Ends], episodes: int
) -> Rollout:
    """A rollout of games that were started anew, with a column for each episode in place of each game."""
    on = rollout.valid
    episode, age = (
        torch.stack([getattr(step, name) for step in steps])[on]
        for name in ("episode", "age")
    )
    # Where in the flattened steps and games each step of each episode is; 0 in the padding.
    place = torch.zeros(
        int(age.max()) + 1, episodes, dtype=torch.int64, device=on.device
    )
    place[age, episode] = on.flatten().nonzero().squeeze(-1)
    valid = torch.zeros_like(place, dtype=torch.bool)
    valid[age, episode] = True

    def packed(value: Tensor) -> Tensor:
        return (
            value.flatten(0, 1)
            .index_select(0, place.flatten())
            .unflatten(0, place.shape)
        )

    order = torch.cat([end.episode for end in ends]).argsort()
    last = Observation.concatenate([end.observation for end in ends])
    names = ends[0].memory
    last_memory = {
        name: torch.cat([end.memory[name] for end in ends])[order] for name in names
    }
    return rollout.map_steps(
        packed, valid, last.map(lambda x: x[order]), last_memory or None
    )


def _select(memory: Memory, rows: Tensor) -> Memory:
    return {name: value[rows] for name, value in memory.items()}


def _where(mask: Tensor, new: Observation, old: Observation) -> Observation:
    """Each game's entry from ``new`` where the mask is set, else from ``old``."""
    merged = {
        name: _where_tensor(mask, value, getattr(old, name))
        if isinstance(value, Tensor)
        else None
        for name, value in vars(new).items()
    }
    return Observation(**merged)


def _where_each(mask: Tensor, new: Memory, old: Memory) -> Memory:
    return {name: _where_tensor(mask, value, old[name]) for name, value in new.items()}


def _where_tensor(mask: Bool[Tensor, "E"], new: Tensor, old: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *[1] * (new.dim() - 1)), new, old)
