"""What every host algorithm must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.conformance import misfits
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.testing.checking import by_name, close, for_all, run_checks, same
from marl_core.testing.host_abilities import HOST_ABILITY_CHECKS
from marl_core.testing.host_direction import HOST_DIRECTION_CHECKS
from marl_core.testing.host_heads import HOST_HEAD_CHECKS
from marl_core.testing.host_inputs import HOST_INPUT_CHECKS
from marl_core.testing.host_lessons import HOST_LESSON_CHECKS
from marl_core.testing.host_losses import (
    HOST_LOSS_CHECKS,
    host_leaves_global_randomness_alone,
)
from marl_core.testing.host_play import HOST_PLAY_CHECKS
from marl_core.testing.host_ranks import HOST_RANK_CHECKS
from marl_core.testing.learning import HostCase, random_trajectory, score_all
from marl_core.testing.plain import PLAIN
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.practice import PRACTICE
from marl_core.testing.strategies import seeds
from marl_core.types import EnvironmentSpec, Memory


def check_host(
    make: Callable[[EnvironmentSpec, torch.Generator], HostAlgorithm],
    environment: Callable[..., Environment] | None = None,
    exploration: ExplorationStrategy = PLAIN,
) -> None:
    """Run every check on the hosts that ``make(spec, generator)`` gives.

    Args:
        make: builds a host for a spec; often ``functools.partial(SomeHost, config)``.
        environment: what to play, as for ``check_environment``; by default ``practice.Practice``,
            which gives features, entities, state, action masks and deaths.
        exploration: how the team explores; by default each agent draws from a softmax of the
            scores.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    played = PRACTICE if environment is None else EnvironmentCase(environment)
    run_checks(HOST_CHECKS, HostCase(make, played, exploration))


def host_has_every_member(case: HostCase) -> None:
    """The host has the members of ``HostAlgorithm``.

    Why:
        Everything else is asked of these members.

    Broken by:
        A misspelt method, other arguments.

    Args:
        case: the host to check.
    """
    wrong = misfits(case.build(), HostAlgorithm)
    assert not wrong, ", ".join(wrong)


def scores_have_the_promised_shape(case: HostCase) -> None:
    """A finite score for every action of every agent; memory keeps its names, shapes and types.

    Why:
        Policies are made from scores, and the collector keeps the memory.

    Broken by:
        An axis too many, memory without E first, ``capabilities.memory`` that is not true.

    Args:
        case: the host to check.
    """
    host = case.build()
    spec = case.spec

    @for_all(
        5,
        seed=seeds(),
        games=st.integers(1, 4),
    )
    def check(seed: int, games: int) -> None:
        memory = host.initial_memory(games)
        assert bool(memory) == host.capabilities.memory, (
            "capabilities.memory and initial_memory do not go together"
        )
        for seen in random_trajectory(case, games, seed):
            scores, following = host.scores(seen, memory)
            _check_scores(scores, (games, spec.agents, spec.actions))
            _check_layout(memory, following, games)
            memory = following


def _check_scores(scores: Tensor, expected: tuple[int, ...]) -> None:
    assert scores.shape == expected, f"scores have shape {tuple(scores.shape)}"
    assert scores.isfinite().all(), "scores are not finite"


def _check_layout(
    memory: Memory,
    following: Memory,
    games: int,
) -> None:
    """See that a memory keeps its layout from step to step, with E as its leading axis."""
    before = {name: (value.shape, value.dtype) for name, value in memory.items()}
    after = {name: (value.shape, value.dtype) for name, value in following.items()}
    assert before == after, f"memory changed its layout from {before} to {after}"
    leading = [value.shape[0] for value in memory.values()]
    assert all(size == games for size in leading), (
        "memory does not have E as its leading axis"
    )


def games_do_not_share_scores(case: HostCase) -> None:
    """A game's scores, over a whole episode, are the same alone as among many.

    Why:
        A team would act by what others see, and otherwise when games are few.

    Broken by:
        Batch normalisation, memory that is rolled or shared, attention over the batch.

    Args:
        case: the host to check.
    """
    host = case.build()

    @for_all(
        5,
        seed=seeds(),
        games=st.integers(2, 5),
    )
    def check(seed: int, games: int) -> None:
        trajectory = random_trajectory(case, games, seed)
        together = score_all(host, trajectory, games)
        for game in range(games):
            own = slice(game, game + 1)
            seen = [observation.map(itemgetter(own)) for observation in trajectory]
            alone = score_all(host, seen, 1)
            for one, all_of_them in zip(alone, together, strict=True):
                assert close(one, all_of_them[own]), (
                    "a game's scores depend on the other games of the batch"
                )


def scores_do_not_change_by_looking(case: HostCase) -> None:
    """Scores are a function of observation, memory and parameters.

    Equal generators make equal hosts.

    Why:
        Evaluation would change the run, and equal seeds would give other weights.

    Broken by:
        Running statistics in ``scores``, dropout, layers that torch initialises.

    Args:
        case: the host to check.
    """
    host = case.build(3)
    twin = case.build(3)
    trajectory = random_trajectory(case, 4, 1)
    first = score_all(host, trajectory, 4)
    again = score_all(host, trajectory, 4)
    of_twin = score_all(twin, trajectory, 4)
    for t, scores in enumerate(first):
        assert same(scores, again[t]), "asked again, a host gives other scores"
        assert same(scores, of_twin[t]), (
            "a host from an equal generator gives other scores"
        )
    different = score_all(case.build(4), trajectory, 4)
    assert not same(first[0], different[0]), (
        "initial weights do not depend on the generator"
    )


HOST_CHECKS = {
    **by_name(
        host_has_every_member,
        host_leaves_global_randomness_alone,
        scores_have_the_promised_shape,
        scores_do_not_change_by_looking,
        games_do_not_share_scores,
    ),
    **HOST_INPUT_CHECKS,
    **HOST_LOSS_CHECKS,
    **HOST_PLAY_CHECKS,
    **HOST_LESSON_CHECKS,
    **HOST_DIRECTION_CHECKS,
    **HOST_RANK_CHECKS,
    **HOST_ABILITY_CHECKS,
    **HOST_HEAD_CHECKS,
}
