"""Where the chance in an environment's games comes from."""

from __future__ import annotations

import torch

from marl_core.testing.alike import Course, follow, preferring
from marl_core.testing.checking import by_name, for_all, no_global_randomness, same
from marl_core.testing.endings import GAMES
from marl_core.testing.play import EnvironmentCase, play
from marl_core.testing.strategies import seeds
from marl_core.testing.trajectories import check_same_trajectory
from marl_core.testing.verdicts import NotApplicableError


def same_generator_same_games(case: EnvironmentCase) -> None:
    """Equal generators and equal actions give equal games.

    Why:
        Equal seeds are to give equal runs.

    Broken by:
        A generator of its own, a set that is iterated over, a clock, threads.

    Args:
        case: the environment to check.
    """

    @for_all(6, seed=seeds(), games=GAMES)
    def check(seed: int, games: int) -> None:
        one = case.build(games, seed)
        other = case.build(games, seed)
        check_same_trajectory(
            play(
                one,
                one.reset(),
                case.generator(seed),
            ),
            play(
                other,
                other.reset(),
                case.generator(seed),
            ),
            "two environments with equal generators and actions",
        )


def chance_comes_from_the_generator(case: EnvironmentCase) -> None:
    """Games that differ by chance differ with the generator.

    Why:
        Otherwise all seeds play the same games, and intervals over seeds mean nothing.

    Broken by:
        A private generator with a constant seed, a seed that is the game's number.

    Args:
        case: the environment to check.
    """
    steps = case.build(1, 0).spec.max_steps
    courses = []
    for seed in range(4):
        environment = case.build(16, seed)
        everyone = torch.ones(16, dtype=torch.bool, device=case.device)
        first = environment.reset()
        courses.append(follow(environment, first, preferring, everyone, steps))
    if not _differ_among_themselves(courses[0]):
        raise NotApplicableError("its games have no chance in them")
    assert any(_differ(courses[0], other) for other in courses[1:]), (
        "games differ from each other, but equally whatever the generator: "
        "their chance has another source"
    )


def _differ_among_themselves(course: Course) -> bool:
    """Whether the games of a course, whose teams all choose alike, are not all the same."""
    steps = (value for values in course.given.values() for value in values)
    return any(not same(value, value[:1].expand_as(value)) for value in steps)


def _differ(one: Course, other: Course) -> bool:
    return any(
        not all(map(same, values, other.given[name]))
        for name, values in one.given.items()
    )


def environment_leaves_global_randomness_alone(case: EnvironmentCase) -> None:
    """All randomness comes from the environment's own generator.

    Why:
        Others draw from the global generators too, so that a run could not be repeated.

    Broken by:
        ``torch.rand`` without ``generator=``, ``np.random``, ``random``, an engine that seeds
        itself.

    Args:
        case: the environment to check.
    """
    with no_global_randomness("the environment"):
        environment = case.build(3, 0)
        play(
            environment,
            environment.reset(),
            case.generator(0),
        )
        environment.reset(
            torch.tensor(
                [
                    True,
                    False,
                    True,
                ],
                device=case.device,
            )
        )


CHANCE_CHECKS = by_name(
    environment_leaves_global_randomness_alone,
    same_generator_same_games,
    chance_comes_from_the_generator,
)
