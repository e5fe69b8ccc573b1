"""What every coupling must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from marl_core.capabilities import Holds
from marl_core.conformance import misfits
from marl_core.protocols import Coupling
from marl_core.testing.checking import by_name, for_all, run_checks, same
from marl_core.testing.coupled_densities import COUPLED_DENSITY_CHECKS
from marl_core.testing.dependence import (
    CONSTANCY_CHECKS,
    games_do_not_influence_each_other,
)
from marl_core.testing.joint_laws import LAW_CHECKS
from marl_core.testing.laws import CouplingCase, Exempt, nobody
from marl_core.testing.learnt_couplings import LEARNT_COUPLING_CHECKS
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.surroundings import SURROUNDING_CHECKS
from marl_core.types import EnvironmentSpec, Moment


def check_coupling(
    make: Callable[[EnvironmentSpec], Coupling], exempt: Exempt = nobody
) -> None:
    """Run every check on the couplings that ``make(spec)`` gives.

    Args:
        make: builds one; often ``functools.partial(SomeCoupling, config)``.
        exempt: ``exempt(individual, progress)`` marks the agents for which it gives up Eq. 16 on
            purpose. It must not mark all of them.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    run_checks(COUPLING_CHECKS, CouplingCase(make, exempt))


def coupling_has_every_member(case: CouplingCase) -> None:
    """The coupling has the members of ``Coupling``.

    Why:
        Everything else is asked of these members.

    Broken by:
        A misspelt method, a name that is a method.

    Args:
        case: the coupling to check.
    """

    @for_all(5, scene=scenes())
    def check(scene: Scene) -> None:
        wrong = misfits(case.make(scene.spec), Coupling)
        assert not wrong, ", ".join(wrong)


def what_a_coupling_says_of_itself_fits(case: CouplingCase) -> None:
    """Names, weights and needs of a coupling fit each other.

    Each component has a name, or none has; as many components have scores of their own as there
    are; weights that differ from game to game need the whole game.

    Why:
        The collector decides by it what it asks, and how often.

    Broken by:
        Weights of each game, or by what is seen, without ``needs.whole_game``; two equal names.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        assert coupling.holds in get_args(Holds), f"holds is {coupling.holds!r}"
        count = coupling.weights(scene.moment).shape[-1]
        _check_names(coupling, count)
        scored = coupling.needs.component_scores
        assert scored in (0, count), (
            f"needs.component_scores is {scored}, but there are {count} components"
        )
        if not coupling.needs.whole_game:
            _check_weights_are_shared(coupling, scene)


def _check_names(coupling: Coupling, count: int) -> None:
    names = coupling.component_names
    expected = {0, 1} if count == 1 else {count}
    assert len(names) in expected, f"{count} components have the names {names}"
    assert len(set(names)) == len(names), f"components have equal names: {names}"


def _check_weights_are_shared(coupling: Coupling, scene: Scene) -> None:
    """See that the weights are those of all games, and do not depend on what is seen."""
    weights = coupling.weights(scene.moment)
    assert weights.dim() == 1, (
        "weights differ from game to game, so needs.whole_game must be set"
    )
    unseen = Moment(scene.progress, scene.moment.device)
    assert same(coupling.weights(unseen), weights), (
        "weights depend on what is seen, so needs.whole_game must be set"
    )


COUPLING_CHECKS = {
    **by_name(coupling_has_every_member),
    **CONSTANCY_CHECKS,  # early: chance and hidden state confuse all others
    **by_name(what_a_coupling_says_of_itself_fits, games_do_not_influence_each_other),
    **SURROUNDING_CHECKS,
    **LAW_CHECKS,
    **COUPLED_DENSITY_CHECKS,
    **LEARNT_COUPLING_CHECKS,
}
