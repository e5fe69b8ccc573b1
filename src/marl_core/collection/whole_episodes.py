"""From the steps of parallel games to a rollout of whole episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import Memory, Observation, Progress, Rollout, StepResult
from marl_core.types.batch import stack_tensors
from marl_core.types.rollout import STEP_FIELDS

#: What a rollout takes over from the result of each step.
_FROM_RESULTS = [one.name for one in fields(StepResult) if one.name in STEP_FIELDS]


class Step(NamedTuple):
    """One step of all games: what was before it, what was done, what came of it.

    Attributes:
        observation: what the agents saw before the step.
        memory: the host's, before the step.
        actions: what each agent did, ``[E, N]``; in a box ``[E, N, D]``.
        component: what each team had drawn, ``[E]``.
        on: which games were on, ``[E]``.
        episode: the number of the episode that each game was in, ``[E]``.
        age: which step of that episode this was, from 0, ``[E]``.
        result: what came of it.
    """

    observation: Observation
    memory: Memory
    actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]
    component: Int[Tensor, "E"]
    on: Bool[Tensor, "E"]
    episode: Int[Tensor, "E"]
    age: Int[Tensor, "E"]
    result: StepResult


class EpisodeEnds(NamedTuple):
    """What was seen and remembered after the last steps of some episodes.

    Attributes:
        episode: their numbers.
        observation: what the agents saw.
        memory: the host's.
    """

    episode: Int[Tensor, "some"]
    observation: Observation
    memory: Memory


def by_game(
    steps: Sequence[Step],
    last: Observation,
    last_memory: Memory,
    progress: Progress,
    table: Observation | None,
) -> Rollout:
    """The steps one after another, with a column for each game.

    Args:
        steps: those played.
        last: what the agents saw after the last step of each game.
        last_memory: the host's memory then.
        progress: how far the run is.
        table: the environment's table of distinct observations, where it was used.
    """
    results = [step.result for step in steps]
    actions = torch.stack([step.actions for step in steps])
    gained: dict[str, Any] = {}
    for name in _FROM_RESULTS:
        gained[name] = stack_tensors([getattr(result, name) for result in results])
    reward = stack_tensors([result.individual_reward for result in results])
    if reward is None:
        reward = gained["team_reward"].unsqueeze(-1).expand(actions.shape[:3])
    return Rollout(
        observations=stack_tensors([step.observation for step in steps]),
        last_observation=last,
        actions=actions,
        reward=reward,
        valid=torch.stack([step.on for step in steps]),
        component=torch.stack([step.component for step in steps]),
        progress=progress,
        memory=stack_tensors([step.memory for step in steps]) or None,
        last_memory=last_memory or None,
        table=table,
        **gained,
    )


def by_episode(
    rollout: Rollout,
    steps: Sequence[Step],
    ends: Sequence[EpisodeEnds],
    episodes: int,
) -> Rollout:
    """A rollout of games that were started anew, with a column for each episode.

    Args:
        rollout: the steps, with a column for each game.
        steps: the same, one by one.
        ends: of all episodes, in any order.
        episodes: how many there are.
    """
    place, valid = _places(rollout.valid, steps, episodes)

    def moved(value: Tensor) -> Tensor:
        chosen = value.flatten(0, 1).index_select(0, place.flatten())
        return chosen.unflatten(0, place.shape)

    order = torch.cat([end.episode for end in ends]).argsort()
    last = Observation.concatenate([end.observation for end in ends])
    last_memory = {}
    for name in ends[0].memory:
        remembered = torch.cat([end.memory[name] for end in ends])
        last_memory[name] = remembered[order]
    return rollout.map_steps(
        moved,
        valid,
        last.map(lambda x: x[order]),
        last_memory or None,
    )


def _places(
    played: Bool[Tensor, "T E"],
    steps: Sequence[Step],
    episodes: int,
) -> tuple[Int[Tensor, "T2 E2"], Bool[Tensor, "T2 E2"]]:
    """Where each step of each episode is among all steps of all games; and which are steps at all.

    A place counts through ``[T, E]``, flattened. In the padding it is 0.
    """
    episode = torch.stack([step.episode for step in steps])[played]
    age = torch.stack([step.age for step in steps])[played]
    longest = int(age.max()) + 1
    place = torch.zeros(
        longest,
        episodes,
        dtype=torch.int64,
        device=played.device,
    )
    place[age, episode] = played.flatten().nonzero().squeeze(-1)
    valid = torch.zeros_like(place, dtype=torch.bool)
    valid[age, episode] = True
    return place, valid
