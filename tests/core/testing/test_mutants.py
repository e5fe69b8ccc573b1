"""The spec checker accepts what is sound, and rejects what is broken by the check meant for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, settings

from marl_core.exploration.coupled import CoupledExploration
from marl_core.hosts.base import HostModule
from marl_core.protocols import ExplorationStrategy
from marl_core.testing import (
    COUPLING_CHECKS,
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    POLICY_CHECKS,
    CouplingCase,
    EnvironmentCase,
    ExplorationCase,
    HostCase,
    PolicyCase,
    check_coupling,
    check_environment,
    check_exploration,
    check_host,
    check_policy,
)
from marl_core.testing.checking import run_checks
from marl_core.testing.coupled_densities import COUPLED_DENSITY_CHECKS
from marl_core.testing.verdicts import BrokenRuleError
from marl_core.types import EnvironmentSpec
from tests.support import (
    broken_couplings,
    broken_densities,
    broken_environments,
    broken_games,
    broken_hosts,
    broken_learners,
    broken_policies,
    rude_couplings,
)
from tests.support.box_games import Targets, TargetsConfig
from tests.support.broken_environments import Wrapped, WrappedFME

#: Eq. 17 holds down to pi(u*) = eta; scenes have at most 12 actions, so pi(u*) >= 1/12.
assert broken_couplings.Sound.ETA < 1 / 12

POLICIES: dict[Any, str] = broken_policies.MUTANTS | broken_densities.POLICIES
COUPLINGS = (
    broken_couplings.MUTANTS | rude_couplings.MUTANTS | broken_densities.COUPLINGS
)
ENVIRONMENTS = broken_environments.MUTANTS | broken_games.MUTANTS
HOSTS = broken_hosts.MUTANTS | broken_learners.MUTANTS

#: A strategy of sound parts, with one part broken.
MakeStrategy = Callable[[EnvironmentSpec], ExplorationStrategy]


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


def _rejected(checks: Mapping[str, Any], rule: str, case: Any) -> None:
    """See that a rule rejects a case, by its name."""
    with pytest.raises(BrokenRuleError) as caught:
        run_checks({rule: checks[rule]}, case)
    assert caught.value.rule == rule
    assert caught.value.message


def _host_case(host: Any) -> HostCase:
    make = partial(host, host.Config())
    if broken_hosts.MUTANTS.get(host) == "table_and_samples_agree":
        return HostCase(make, EnvironmentCase(WrappedFME))
    return HostCase(make)


def _strategy(policy: Any, coupling: Any) -> MakeStrategy:
    def make(spec: EnvironmentSpec) -> ExplorationStrategy:
        return CoupledExploration(policy(spec), broken_couplings.make(coupling, spec))

    return make


def _half_a_strategy(spec: EnvironmentSpec) -> Any:
    return SimpleNamespace(individual=broken_policies.Sound(spec))


def test_sound_implementations_are_accepted() -> None:
    check_exploration(_strategy(broken_policies.Sound, broken_couplings.Sound))
    check_policy(broken_densities.SoundDensities)
    run_checks(
        COUPLED_DENSITY_CHECKS,
        CouplingCase(partial(broken_couplings.make, broken_densities.SoundCoupling)),
    )
    check_environment(Wrapped)
    check_environment(WrappedFME)
    check_environment(partial(Targets, TargetsConfig(mortal=True)))
    check_host(partial(broken_hosts.Sound, None))
    check_host(partial(broken_learners.Learner, None))
    check_host(partial(broken_hosts.Memoryless, None), environment=WrappedFME)


@pytest.mark.parametrize(("mutant", "check"), POLICIES.items(), ids=_label)
def test_broken_policy(mutant: Any, check: str) -> None:
    _rejected(POLICY_CHECKS, check, PolicyCase(mutant))


@pytest.mark.parametrize(("mutant", "check"), COUPLINGS.items(), ids=_label)
def test_broken_coupling(mutant: Any, check: str) -> None:
    case = CouplingCase(partial(broken_couplings.make, mutant))
    _rejected(COUPLING_CHECKS, check, case)


def test_broken_strategy() -> None:
    """Each part is found to be broken, whichever it is; and one that is not there."""
    check = EXPLORATION_CHECKS["individual.illegal_actions_are_never_taken"]
    policy = _strategy(broken_policies.IgnoresMasks, broken_couplings.Sound)
    with pytest.raises(AssertionError, match="gives illegal actions"):
        check(ExplorationCase(policy))
    check = EXPLORATION_CHECKS["coupling.marginal_is_the_individual_policy"]
    coupling = _strategy(broken_policies.Sound, broken_couplings.PerAgentCoin)
    with pytest.raises(AssertionError, match=r"Eq\. 16"):
        check(ExplorationCase(coupling))
    check = EXPLORATION_CHECKS["strategy_has_both_parts"]
    with pytest.raises(AssertionError, match="'coupling' is missing"):
        check(ExplorationCase(_half_a_strategy))


@pytest.mark.parametrize(("mutant", "check"), ENVIRONMENTS.items(), ids=_label)
def test_broken_environment(mutant: type[Wrapped], check: str) -> None:
    _rejected(ENVIRONMENT_CHECKS, check, EnvironmentCase(mutant))


@pytest.mark.parametrize(("mutant", "check"), HOSTS.items(), ids=_label)
def test_broken_host(mutant: type[HostModule], check: str) -> None:
    _rejected(HOST_CHECKS, check, _host_case(mutant))


def test_the_message_names_the_check() -> None:
    with pytest.raises(
        AssertionError,
        match=r"illegal_actions_are_never_taken: .* gives illegal actions",
    ):
        check_policy(broken_policies.IgnoresMasks)
    with pytest.raises(AssertionError, match=r"what_a_coupling_says.*: .* names"):
        check_coupling(broken_couplings.EqualNames)


def _first_broken(checks: Mapping[str, Any], case: Any) -> str | None:
    with pytest.raises(BrokenRuleError) as caught:
        run_checks(checks, case)
    return caught.value.rule


def test_the_first_rule_that_is_named_is_the_one_that_was_broken() -> None:
    """Chance, time and hidden state confuse other rules, which would be named in their place."""
    of_policies = {
        broken_policies.NoisyInNumPy: "policy_leaves_global_randomness_alone",
        broken_policies.HiddenStep: "schedules_depend_on_progress_alone",
    }
    of_environments = {
        broken_games.EndsAStepLate: "episodes_end_in_time",
        broken_games.ResetsByItself: "a_step_starts_no_game",
        broken_environments.GlobalRandomness: "environment_leaves_global_randomness_alone",
    }
    for policy, rule in of_policies.items():
        assert _first_broken(POLICY_CHECKS, PolicyCase(policy)) == rule
    for environment, rule in of_environments.items():
        case = EnvironmentCase(environment)
        assert _first_broken(ENVIRONMENT_CHECKS, case) == rule
    late = CouplingCase(partial(broken_couplings.make, broken_couplings.HiddenStep))
    assert _first_broken(COUPLING_CHECKS, late) == "schedules_depend_on_progress_alone"
    forgets = _host_case(broken_learners.ForgetsItsScale)
    rule = "learning_goes_on_from_a_saved_state"
    assert _first_broken(HOST_CHECKS, forgets) == rule


def test_every_check_rejects_something() -> None:
    """Those of a strategy are the others, but for the one that asks for its two parts."""
    tables: list[tuple[dict[Any, str], Any]] = [
        (POLICIES, POLICY_CHECKS),
        (COUPLINGS, COUPLING_CHECKS),
        (ENVIRONMENTS, ENVIRONMENT_CHECKS),
        (HOSTS, HOST_CHECKS),
    ]
    for mutants, checks in tables:
        assert set(mutants.values()) == set(checks)
    of_parts = [f"individual.{name}" for name in POLICY_CHECKS]
    of_parts += [f"coupling.{name}" for name in COUPLING_CHECKS]
    assert list(EXPLORATION_CHECKS) == ["strategy_has_both_parts", *of_parts]
