"""What every whole exploration strategy must satisfy: its parts, and the two of them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps

from marl_core.abilities import StatesDensities
from marl_core.conformance import misfits
from marl_core.protocols import Coupling, ExplorationStrategy, IndividualPolicy
from marl_core.testing.checking import for_all, run_checks
from marl_core.testing.couplings import COUPLING_CHECKS
from marl_core.testing.laws import CouplingCase, Exempt, nobody, plain_policy
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.policies import POLICY_CHECKS
from marl_core.testing.policy_case import PolicyCase
from marl_core.testing.practice import PRACTICE
from marl_core.testing.scenes import Scene, scenes
from marl_core.types import EnvironmentSpec


@dataclass(frozen=True)
class ExplorationCase:
    """A whole strategy to check.

    Attributes:
        make: ``make(spec)`` gives one.
        exempt: ``exempt(individual, progress)`` marks the agents for which it gives up Eq. 16 on
            purpose.
        environment: what is played to see how a coupling learns that learns itself.
    """

    make: Callable[[EnvironmentSpec], ExplorationStrategy]
    exempt: Exempt = nobody
    environment: EnvironmentCase = field(default=PRACTICE)

    @property
    def of_policy(self) -> PolicyCase:
        """Its individual policy, to be checked on its own."""
        return PolicyCase(self._individual)

    @property
    def of_coupling(self) -> CouplingCase:
        """Its coupling, to be checked over its own individual policy.

        Tables are coupled over a softmax where that one has densities in their place.
        """
        return CouplingCase(
            self._coupling,
            self.exempt,
            self._individual_with_a_table,
            self.environment,
        )

    def _individual(self, spec: EnvironmentSpec) -> IndividualPolicy:
        return self.make(spec).individual

    def _individual_with_a_table(self, spec: EnvironmentSpec) -> IndividualPolicy:
        own = self._individual(spec)
        return plain_policy(spec) if isinstance(own, StatesDensities) else own

    def _coupling(self, spec: EnvironmentSpec) -> Coupling:
        return self.make(spec).coupling


def check_exploration(
    make: Callable[[EnvironmentSpec], ExplorationStrategy], exempt: Exempt = nobody
) -> None:
    """Run every check on the strategies that ``make(spec)`` gives.

    Args:
        make: builds one; a coupling over a policy of your own is ``lambda spec:
            CoupledExploration(policy, coupling)``.
        exempt: ``exempt(individual, progress)`` marks the agents for which it gives up Eq. 16 on
            purpose. It must not mark all of them.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    run_checks(EXPLORATION_CHECKS, ExplorationCase(make, exempt))


def strategy_has_both_parts(case: ExplorationCase) -> None:
    """The strategy has an individual policy and a coupling.

    Why:
        Everything else is asked of its parts.

    Broken by:
        A class that is only one of the two.

    Args:
        case: the strategy to check.
    """

    @for_all(5, scene=scenes())
    def check(scene: Scene) -> None:
        wrong = misfits(case.make(scene.spec), ExplorationStrategy)
        assert not wrong, ", ".join(wrong)


def _of_policy(
    check: Callable[[PolicyCase], None],
) -> Callable[[ExplorationCase], None]:
    @wraps(check)
    def of_policy(case: ExplorationCase) -> None:
        check(case.of_policy)

    return of_policy


def _of_coupling(
    check: Callable[[CouplingCase], None],
) -> Callable[[ExplorationCase], None]:
    @wraps(check)
    def of_coupling(case: ExplorationCase) -> None:
        check(case.of_coupling)

    return of_coupling


#: The checks of each part, under names that say of which part.
EXPLORATION_CHECKS: dict[str, Callable[[ExplorationCase], None]] = {
    strategy_has_both_parts.__name__: strategy_has_both_parts,
    **{f"individual.{name}": _of_policy(c) for name, c in POLICY_CHECKS.items()},
    **{f"coupling.{name}": _of_coupling(c) for name, c in COUPLING_CHECKS.items()},
}
