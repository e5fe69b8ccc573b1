"""What every environment must satisfy."""

from __future__ import annotations

from collections.abc import Callable

import torch

from marl_core.conformance import misfits
from marl_core.protocols import Environment
from marl_core.testing.chance import CHANCE_CHECKS
from marl_core.testing.checking import (
    by_name,
    for_all,
    run_checks,
)
from marl_core.testing.endings import ENDING_CHECKS, GAMES
from marl_core.testing.exact_rewards import expected_rewards_agree_with_play
from marl_core.testing.independent_games import games_do_not_influence_each_other
from marl_core.testing.layout import (
    check_device,
    check_finite,
    check_observation,
    check_outcome,
)
from marl_core.testing.observation_table import table_says_what_agents_see
from marl_core.testing.ownership import OWNERSHIP_CHECKS
from marl_core.testing.play import (
    EnvironmentCase,
    play,
    tensors_of,
    write_out,
)
from marl_core.testing.resets import RESET_CHECKS
from marl_core.testing.strategies import seeds
from marl_core.types import EnvironmentSpec


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

    Why:
        Everything else is asked of these members.

    Broken by:
        A misspelt method, a spec that is a method, arguments by other names.

    Args:
        case: the environment to check.
    """
    wrong = misfits(case.build(1, 0), Environment)
    assert not wrong, ", ".join(wrong)


def spec_is_constant_and_sensible(case: EnvironmentCase) -> None:
    """The spec promises possible things and does not change in play.

    Why:
        Networks and buffers are sized by it once.

    Broken by:
        A number of agents that falls as they die; names of levels that repeat; a number of a team
        that nobody is of.

    Args:
        case: the environment to check.
    """
    environment = case.build(2, 0)
    spec = environment.spec
    assert spec.agents >= 1, f"spec.agents is {spec.agents}"
    if spec.box is None:
        assert spec.actions >= 2, f"spec.actions is {spec.actions}"
    else:
        beside = (spec.actions, spec.action_masks, spec.table_rows)
        assert not any(beside), (
            "beside a box there are no discrete actions, no masks and no table"
        )
    assert spec.max_steps >= 1, f"spec.max_steps is {spec.max_steps}"
    assert spec.features is not None or spec.entities is not None, (
        "agents see neither features nor entities"
    )
    names = [level.name for level in spec.levels]
    assert len(set(names)) == len(names), f"spec.levels has equal names: {names}"
    _check_teams(spec)
    play(
        environment,
        environment.reset(),
        case.generator(1),
    )
    assert environment.spec == spec, "the spec changed in play"


def _check_teams(spec: EnvironmentSpec) -> None:
    """See that every agent is of a team, and every team has one."""
    if spec.teams is None:
        return
    found = f"spec.teams is {spec.teams}"
    assert len(spec.teams) == spec.agents, (
        f"{found}, and there are {spec.agents} agents"
    )
    numbers = set(spec.teams)
    assert numbers == set(range(len(numbers))), f"{found}: teams are numbered from 0"


def shapes_and_types_follow_the_spec(case: EnvironmentCase) -> None:
    """Every tensor has the shape and the type that the spec promises.

    What the spec does not promise is not there.

    Why:
        Hosts build their layers for these shapes, and single precision is what networks compute
        in.

    Broken by:
        float64 from NumPy, integer masks, a missing axis, a field that the spec leaves out.

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


def tensors_are_on_the_device(case: EnvironmentCase) -> None:
    """Every tensor is on the device that the environment was given.

    Why:
        A tensor elsewhere ends in an error of torch's, or in a copy at every step.

    Broken by:
        Tensors made without ``device=``, as constants and masks are.

    Args:
        case: the environment to check.
    """
    environment = case.build(2, 0)
    device = torch.device(case.device)
    first = environment.reset()
    check_device(first.tensors(), device)
    (step,) = play(environment, first, case.generator(0), 1)
    check_device(tensors_of(step.result), device)


def nothing_is_nan(case: EnvironmentCase) -> None:
    """All numbers are finite: what is missing is masked.

    Why:
        One NaN makes all parameters NaN.

    Broken by:
        Markers for the dead, a division by the number of the living, an empty mean.

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


ENVIRONMENT_CHECKS = {
    **by_name(
        environment_has_every_member,
        table_says_what_agents_see,
        spec_is_constant_and_sensible,
        shapes_and_types_follow_the_spec,
        tensors_are_on_the_device,
        nothing_is_nan,
    ),
    **CHANCE_CHECKS,
    **OWNERSHIP_CHECKS,
    **ENDING_CHECKS,  # first: a game that ends late confuses what is asked of resets
    **by_name(games_do_not_influence_each_other),
    **RESET_CHECKS,
    **by_name(expected_rewards_agree_with_play),
}
