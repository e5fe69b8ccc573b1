"""The spec checker rejects what is broken, by the check that is meant for it, and accepts what is sound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import Phase, settings

from marl_core.config.named import HostConfig
from marl_core.testing import (
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    EnvironmentCase,
    ExplorationCase,
    HostCase,
    check_environment,
    check_exploration,
    check_host,
)
from tests.support import broken_environments, broken_explorations, broken_hosts
from tests.support.broken_environments import Wrapped, WrappedFME

HOST_CONFIG = HostConfig(name="broken")
#: Eq. 17 holds down to pi(u*) = eta; the strategies drawn from have at most 12 actions, so pi(u*) >= 1/12.
assert broken_explorations.Sound.ETA < 1 / 12


@pytest.fixture(autouse=True, scope="module")
def _without_shrinking() -> Iterator[None]:
    """That a mutant is rejected is all that matters here, not how simply."""
    usual = settings.get_current_profile_name()
    settings.register_profile("mutants", settings.default, phases=[Phase.generate])
    settings.load_profile("mutants")
    yield
    settings.load_profile(usual)


def _label(value: type | str) -> str:
    return value if isinstance(value, str) else value.__name__


def _host_case(host: type[broken_hosts.Sound]) -> HostCase:
    needs_table = broken_hosts.MUTANTS.get(host) == "table_and_samples_agree"
    case = HostCase(partial(host, HOST_CONFIG))
    return HostCase(case.make, EnvironmentCase(WrappedFME)) if needs_table else case


def test_sound_implementations_are_accepted() -> None:
    check_exploration(broken_explorations.Sound)
    check_environment(Wrapped)
    check_environment(WrappedFME)
    check_host(partial(broken_hosts.Sound, HOST_CONFIG))
    check_host(partial(broken_hosts.Memoryless, HOST_CONFIG), environment=WrappedFME)


@pytest.mark.parametrize(
    ("mutant", "check"),
    broken_explorations.MUTANTS.items(),
    ids=lambda x: getattr(x, "__name__", x),
)
def test_broken_exploration(
    mutant: type[broken_explorations.Sound], check: str
) -> None:
    with pytest.raises(AssertionError):
        EXPLORATION_CHECKS[check](ExplorationCase(mutant))


@pytest.mark.parametrize(
    ("mutant", "check"),
    broken_environments.MUTANTS.items(),
    ids=lambda x: getattr(x, "__name__", x),
)
def test_broken_environment(mutant: type[Wrapped], check: str) -> None:
    with pytest.raises(AssertionError):
        ENVIRONMENT_CHECKS[check](EnvironmentCase(mutant))


@pytest.mark.parametrize(("mutant", "check"), broken_hosts.MUTANTS.items(), ids=_label)
def test_broken_host(mutant: type[broken_hosts.Sound], check: str) -> None:
    with pytest.raises(AssertionError):
        HOST_CHECKS[check](_host_case(mutant))


def test_the_message_names_the_check() -> None:
    with pytest.raises(
        AssertionError,
        match=r"illegal_actions_are_never_taken: .* gives illegal actions",
    ):
        check_exploration(broken_explorations.IgnoresMasks)


def test_every_check_rejects_something() -> None:
    tables = (
        broken_explorations.MUTANTS,
        broken_environments.MUTANTS,
        broken_hosts.MUTANTS,
    )
    rejecting = {check for table in tables for check in table.values()}
    assert rejecting == {*EXPLORATION_CHECKS, *ENVIRONMENT_CHECKS, *HOST_CHECKS}
