"""What a host must satisfy that takes entities by rows, or tells its memory from whole episodes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from marl_core.abilities import RebuildsMemory
from marl_core.entity_rows import write_out_entities
from marl_core.protocols import HostAlgorithm
from marl_core.testing.checking import by_name, close
from marl_core.testing.learning import (
    HostCase,
    random_trajectory,
    rollouts,
    score_all,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Memory, Observation, Rollout

_GAMES = 4


def entities_and_their_rows_agree(case: HostCase) -> None:
    """Entities for every agent or rows of the game: the scores are the same.

    Why:
        Which form comes depends on the environment alone.

    Broken by:
        Rows that are taken in their order and not by the index.

    Args:
        case: the host to check.
    """
    host = case.build()
    if not host.capabilities.entity_rows:
        raise NotApplicableError("it takes no rows of entities")
    trajectory = random_trajectory(case, _GAMES, 1)
    assert trajectory[0].entities is not None, (
        "capabilities.entity_rows says that the host sees entities; this environment has none"
    )
    by_rows = [_as_rows(seen) for seen in trajectory]
    written = score_all(host, trajectory, _GAMES)
    for one, another, seen in zip(
        written,
        score_all(host, by_rows, _GAMES),
        trajectory,
        strict=True,
    ):
        assert close(_of_the_living(one, seen), _of_the_living(another, seen)), (
            "the scores for rows of entities are not those for the entities"
        )


def memory_is_that_of_play(case: HostCase) -> None:
    """``memory_before`` gives what ``scores`` gave while the episodes were played.

    Why:
        The collector keeps no memory for such a host; it learns by what it rebuilds.

    Broken by:
        Another beginning, a step more or less.

    Args:
        case: the host to check.
    """
    host = case.build()
    if not isinstance(host, RebuildsMemory) or not host.capabilities.memory:
        raise NotApplicableError("it does not tell its memory from episodes")
    rollout = next(rollouts(case.environment, host, case.exploration))
    steps = range(len(rollout.actions))
    rebuilt = host.memory_before(rollout, steps)
    for step, expected in zip(steps, _played_memories(host, rollout), strict=True):
        assert rebuilt.keys() == expected.keys(), (
            f"memory_before gives {sorted(rebuilt)}, scores gives {sorted(expected)}"
        )
        on = rollout.valid[step]
        for name, value in expected.items():
            found = rebuilt[name][step]
            assert close(found[on].float(), value[on].float()), (
                f"memory_before gives another {name} before step {step} than play had"
            )


@torch.no_grad()
def _played_memories(host: HostAlgorithm, rollout: Rollout) -> list[Memory]:
    steps, games = rollout.actions.shape[:2]
    memory = host.initial_memory(games)
    memories = []
    for step in range(steps):
        memories.append(memory)
        seen = _at(rollout.observations, step)
        _, memory = host.scores(seen, memory)
    return memories


def _at(observation: Observation, step: int) -> Observation:
    return observation.map(lambda values: values[step])


def _as_rows(observation: Observation) -> Observation:
    """The same with the entities of all agents of a game as its rows, the last of them first."""
    written = write_out_entities(observation)
    entities = written.entities
    assert entities is not None
    rows = entities.flatten(-3, -2).flip(-2)
    index = torch.arange(rows.shape[-2], device=rows.device).flip(0)
    index = index.view(entities.shape[-3:-1])
    return replace(
        written,
        entities=None,
        entity_rows=rows,
        entity_index=index.expand(entities.shape[:-1]),
    )


def _of_the_living(scores: Tensor, seen: Observation) -> Tensor:
    return scores if seen.alive is None else scores[seen.alive]


HOST_INPUT_CHECKS = by_name(
    entities_and_their_rows_agree,
    memory_is_that_of_play,
)
