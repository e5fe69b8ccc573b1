"""What every environment must satisfy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from marl_core.conformance import misfits
from marl_core.protocols import Environment
from marl_core.testing.checking import (
    by_name,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.endings import episodes_end_in_time, the_dead_stay_dead
from marl_core.testing.exact_rewards import expected_rewards_agree_with_play
from marl_core.testing.independent_games import games_do_not_influence_each_other
from marl_core.testing.layout import check_finite, check_observation, check_outcome
from marl_core.testing.observation_table import table_says_what_agents_see
from marl_core.testing.play import (
    EnvironmentCase,
    play,
    tensors_of,
    write_out,
)
from marl_core.testing.resets import GAMES, RESET_CHECKS
from marl_core.testing.strategies import seeds
from marl_core.testing.trajectories import check_same_trajectory


def check_environment(make: Callable[..., Environment], device: str = "cpu") -> None:
    """Run every check on the environments that ``make`` gives.

    Args:
        make: ``make(games=..., device=..., generator=...)`` builds one; often
            ``functools.partial(SomeEnvironment, config)``.
        device: where it plays.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    run_checks(ENVIRONMENT_CHECKS, EnvironmentCase(make, device))


def environment_has_every_member(case: EnvironmentCase) -> None:
    """The environment has the members of ``Environment``.

    Args:
        case: the environment to check.
    """
    wrong = misfits(case.build(1, 0), Environment)
    assert not wrong, ", ".join(wrong)


def spec_is_constant_and_sensible(case: EnvironmentCase) -> None:
    """The spec promises possible things and does not change in play.

    Args:
        case: the environment to check.
    """
    environment = case.build(2, 0)
    spec = environment.spec
    assert spec.agents >= 1, f"spec.agents is {spec.agents}"
    assert spec.actions >= 2, f"spec.actions is {spec.actions}"
    assert spec.max_steps >= 1, f"spec.max_steps is {spec.max_steps}"
    assert spec.features is not None or spec.entities is not None, (
        "agents see neither features nor entities"
    )
    names = [level.name for level in spec.levels]
    assert len(set(names)) == len(names), f"spec.levels has equal names: {names}"
    play(
        environment,
        environment.reset(),
        case.generator(1),
    )
    assert environment.spec == spec, "the spec changed in play"


def shapes_and_types_follow_the_spec(case: EnvironmentCase) -> None:
    """Every tensor has the shape and the type that the spec promises.

    What the spec does not promise is not there.

    Args:
        case: the environment to check.
    """

    @for_all(6, seed=seeds(), games=GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        first = environment.reset()
        check_observation(environment, first, games)
        for step in play(
            environment,
            first,
            case.generator(seed),
        ):
            check_observation(environment, step.result.observation, games)
            check_outcome(environment, step.result, games)


def nothing_is_nan(case: EnvironmentCase) -> None:
    """All numbers are finite: what is missing is masked.

    Args:
        case: the environment to check.
    """

    @for_all(6, seed=seeds(), games=GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        first = environment.reset()
        check_finite(write_out(environment, first).tensors())
        for step in play(
            environment,
            first,
            case.generator(seed),
        ):
            check_finite(write_out(environment, step.result.observation).tensors())
            check_finite(tensors_of(step.result))


def same_generator_same_games(case: EnvironmentCase) -> None:
    """Equal generators and equal actions give equal games.

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


def what_was_given_stays(case: EnvironmentCase) -> None:
    """A tensor that was returned belongs to the caller.

    Later steps and resets do not write into it.

    Args:
        case: the environment to check.
    """
    environment = case.build(4, 0)
    first = environment.reset()
    given = [first.tensors()]
    kept = [_copies(given[0])]
    choice = case.generator(0)
    seen = first
    for _ in range(environment.spec.max_steps):
        (step,) = play(environment, seen, choice, 1)
        seen = step.result.observation
        given.append(tensors_of(step.result))
        kept.append(_copies(given[-1]))
    environment.reset()
    for now, then in zip(given, kept, strict=True):
        for name, value in now.items():
            assert same(value, then[name]), (
                f"{name} was written into after it was given"
            )


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def environment_leaves_global_randomness_alone(case: EnvironmentCase) -> None:
    """All randomness comes from the environment's own generator.

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


ENVIRONMENT_CHECKS = {
    **by_name(
        environment_has_every_member,
        table_says_what_agents_see,
        spec_is_constant_and_sensible,
        shapes_and_types_follow_the_spec,
        nothing_is_nan,
        same_generator_same_games,
        what_was_given_stays,
        games_do_not_influence_each_other,
    ),
    **RESET_CHECKS,
    **by_name(
        episodes_end_in_time,
        the_dead_stay_dead,
        expected_rewards_agree_with_play,
        environment_leaves_global_randomness_alone,
    ),
}
