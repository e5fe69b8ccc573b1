"""Classes of tests that pytest collects: a test for each rule, by one line in a test file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from marl_core.testing.checking import Checks, run_check
from marl_core.testing.couplings import COUPLING_CHECKS
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.explorations import EXPLORATION_CHECKS
from marl_core.testing.hosts import HOST_CHECKS
from marl_core.testing.named_parts import (
    Part,
    Settings,
    coupling_case,
    environment_case,
    host_case,
    policy_case,
    strategy_case,
)
from marl_core.testing.policies import POLICY_CHECKS
from marl_core.testing.practice import PRACTICE


def environment_tests(
    part: Part, settings: Settings = None, *, device: str = "cpu"
) -> type:
    """A class with a test for each rule of environments::

        TestMine = environment_tests("mine:Mine", {"agents": 4})

    The part is looked for when the first test runs. A rule that asks nothing of it is skipped.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
        device: where it plays.

    Returns:
        A class for a module of tests; give it a name that begins with ``Test``.
    """
    return _tests(ENVIRONMENT_CHECKS, lambda: environment_case(part, settings, device))


def host_tests(
    part: Part,
    settings: Settings = None,
    *,
    environment: Part | None = None,
    environment_settings: Settings = None,
) -> type:
    """A class with a test for each rule of host algorithms, as ``environment_tests``.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
        environment: what is played; by default ``practice.Practice``.
        environment_settings: what a config says of the environment, or its config.
    """

    def case() -> Any:
        if environment is None:
            return host_case(part, settings, PRACTICE)
        played = environment_case(environment, environment_settings)
        return host_case(part, settings, played)

    return _tests(HOST_CHECKS, case)


def policy_tests(part: Part, settings: Settings = None) -> type:
    """A class with a test for each rule of individual policies, as ``environment_tests``.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
    """
    return _tests(POLICY_CHECKS, lambda: policy_case(part, settings))


def coupling_tests(part: Part, settings: Settings = None) -> type:
    """A class with a test for each rule of couplings, as ``environment_tests``.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
    """
    return _tests(COUPLING_CHECKS, lambda: coupling_case(part, settings))


def exploration_tests(part: Part, settings: Settings = None) -> type:
    """A class with a test for each rule of whole strategies, as ``environment_tests``.

    Args:
        part: a registered name, ``module:Class``, or a class that has both parts.
        settings: what a config says of it, or its config.
    """
    return _tests(EXPLORATION_CHECKS, lambda: strategy_case(part, settings))


def _tests(checks: Checks[Any], case: Callable[[], Any]) -> type:
    once = cache(case)
    tests = {
        f"test_{name.replace('.', '_')}": _test(name, check, once)
        for name, check in checks.items()
    }
    return type("Rules", (), tests)


def _test(
    name: str, check: Callable[[Any], None], case: Callable[[], Any]
) -> Callable[[Any], None]:
    def test(self: object) -> None:
        __tracebackhide__ = True
        run_check(name, check, case())

    test.__doc__ = check.__doc__
    return test
