"""Whether the ranks of a run learn together as one process would have."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from typing import final

import torch
from torch import Tensor

from marl_core.learning import LearningContext
from marl_core.testing.checking import by_name
from marl_core.testing.gradients import gradients_of
from marl_core.testing.learning import HostCase
from marl_core.testing.lessons import (
    Lessons,
    WithBonus,
    first_with_lessons,
    moved_host,
    same_lessons,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Rollout

_RANKS = 2
_NOT_TOGETHER = "one rank asks for a mean, or takes a step, that the other does not"
#: Seconds for which a rank waits for the other.
_PATIENCE = 10.0


@final
class _Meeting:
    """Where the ranks, a thread each, give their values and take the mean."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(_RANKS, timeout=_PATIENCE)
        self._values: list[Tensor | None] = [None] * _RANKS

    def mean(self, rank: int, value: Tensor) -> Tensor:
        assert value.is_floating_point(), (
            f"context.ranks.mean is given whole numbers ({value.dtype}): their mean has a fraction"
        )
        given = self._given(rank, value.detach())
        assert len(given) == _RANKS, _NOT_TOGETHER
        shapes = {tuple(one.shape) for one in given}
        assert len(shapes) == 1, f"ranks give context.ranks.mean the shapes {shapes}"
        return torch.stack(given).mean(0)

    def leave(self, rank: int) -> None:
        """A rank asks for no more means: the other may not either.

        Args:
            rank: which leaves.
        """
        assert not self._given(rank, None), _NOT_TOGETHER

    def _given(self, rank: int, value: Tensor | None) -> list[Tensor]:
        """What all ranks have given, once they have."""
        self._values[rank] = value
        self._barrier.wait()
        given = [one for one in self._values if one is not None]
        self._barrier.wait()  # nobody gives the next value before all have read these
        return given

    def give_up(self) -> None:
        """Let nobody wait for a rank that is gone."""
        self._barrier.abort()


@final
class _Rank:
    """One of the ranks.

    Args:
        number: its own.
        meeting: with the other.
    """

    def __init__(self, number: int, meeting: _Meeting) -> None:
        self._number = number
        self._meeting = meeting

    @property
    def count(self) -> int:
        return _RANKS

    def mean(self, value: Tensor) -> Tensor:
        return self._meeting.mean(self._number, value)


def ranks_learn_as_one(case: HostCase) -> None:
    """The mean of the gradients of two ranks, each with half of the games, is that of one process.

    Why:
        More processes are to be faster, not another algorithm; and ranks that step unequally often
        hang.

    Broken by:
        A mean or a count of one rank's samples, an early stop by one rank's numbers.

    Args:
        case: the host to check.
    """
    rollout = first_with_lessons(case)
    whole = _gradients(case, rollout, LearningContext())
    games = torch.arange(rollout.valid.shape[1])
    if not same_lessons(
        whole, _gradients(case, _of(rollout, games.flip(0)), LearningContext())
    ):
        raise NotApplicableError(
            "it learns from parts of a batch, drawn by their order"
        )
    # Halves that differ: short games on one rank, long ones on the other.
    order = rollout.valid.sum(0).argsort(stable=True)
    halves = [_of(rollout, half) for half in order.chunk(_RANKS)]
    meeting = _Meeting()
    with ThreadPoolExecutor(_RANKS) as pool:
        futures = [
            pool.submit(_on_rank, case, half, number, meeting)
            for number, half in enumerate(halves)
        ]
    found = _results(futures)
    assert same_lessons(whole, _mean(found)), (
        "two ranks with half of the games each learn otherwise than one process: "
        "is a mean over samples taken without context.ranks.mean?"
    )


def _results(futures: list[Future[Lessons]]) -> list[Lessons]:
    """What the ranks have found; the error of the rank that went first, if one did."""
    errors = [future.exception() for future in futures]
    broken = threading.BrokenBarrierError
    for error in sorted(errors, key=lambda one: isinstance(one, broken)):
        if error is not None:
            raise error
    return [future.result() for future in futures]


def _on_rank(
    case: HostCase, rollout: Rollout, number: int, meeting: _Meeting
) -> Lessons:
    try:
        found = _gradients(case, rollout, LearningContext(_Rank(number, meeting)))
        meeting.leave(number)
        return found
    except BaseException:
        meeting.give_up()
        raise


def _gradients(case: HostCase, rollout: Rollout, context: LearningContext) -> Lessons:
    """The gradients of all losses, without a step between them."""
    host = moved_host(case)
    policy = WithBonus(case.exploration.individual)
    losses = host.losses(rollout, policy, context)
    return [gradients_of(host, loss) for loss in losses]


def _mean(found: list[Lessons]) -> Lessons:
    lengths = {len(one) for one in found}
    assert len(lengths) == 1, "ranks take different numbers of steps"
    means: Lessons = []
    for losses in zip(*found, strict=True):
        names = losses[0]
        means.append({name: _mean_of([one[name] for one in losses]) for name in names})
    return means


def _mean_of(gradients: list[Tensor | None]) -> Tensor | None:
    there = [one for one in gradients if one is not None]
    return torch.stack(there).sum(0) / len(gradients) if there else None


def _of(rollout: Rollout, games: Tensor) -> Rollout:
    """The rollout of some of its games."""
    pick: Callable[[Tensor], Tensor] = partial(torch.index_select, dim=1, index=games)
    memory = rollout.last_memory
    last = None if memory is None else {k: v[games] for k, v in memory.items()}
    return rollout.map_steps(
        pick,
        rollout.valid[:, games],
        rollout.last_observation.map(itemgetter(games)),
        last,
    )


HOST_RANK_CHECKS = by_name(ranks_learn_as_one)
