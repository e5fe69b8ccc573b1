"""What a coupling must satisfy whose weights are learnt."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import islice

from torch import Tensor, nn

from marl_core.abilities import LearnsItself
from marl_core.exploration.coupled import CoupledExploration
from marl_core.learning import LearningContext
from marl_core.protocols import Coupling
from marl_core.testing.checking import by_name, no_global_randomness, same
from marl_core.testing.gradients import check_groups, check_losses, descend, trainable
from marl_core.testing.laws import CouplingCase
from marl_core.testing.learning import rollouts
from marl_core.testing.plain import PlainHost
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec, Moment, Rollout

#: How many rollouts a coupling gets to learn from.
_ROLLOUTS = 4


def what_learns_is_a_module(case: CouplingCase) -> None:
    """A coupling that learns is an ``nn.Module``, so that its parameters are saved.

    It optimises each of them once.

    Why:
        Its parameters are saved and optimised as a module's.

    Broken by:
        A module that is held and not inherited, groups that leave one out.

    Args:
        case: the coupling to check.
    """
    coupling = case.make(_spec(case))
    if not isinstance(coupling, LearnsItself):
        raise NotApplicableError("it learns nothing")
    assert isinstance(coupling, nn.Module), "a coupling that learns is no nn.Module"
    assert trainable(coupling), "a coupling that learns has no parameters"
    check_groups(coupling)


def losses_teach_the_weights(case: CouplingCase) -> None:
    """Rollouts bring finite losses, whose gradients reach every trainable parameter.

    Why:
        A parameter without a gradient stays as it was drawn.

    Broken by:
        Detached weights, a division by 0.

    Args:
        case: the coupling to check.
    """
    coupling = case.make(_spec(case))
    if not isinstance(coupling, LearnsItself):
        raise NotApplicableError("it learns nothing")
    losses = (
        loss
        for rollout in _rollouts(case, coupling)
        for loss in coupling.losses(rollout, LearningContext())
    )
    check_losses(coupling, losses)


def state_dict_holds_the_weights(case: CouplingCase) -> None:
    """A coupling that loads another's state has the same weights, after some learning too.

    Why:
        A run could not go on.

    Broken by:
        What is learnt outside of parameters and buffers.

    Args:
        case: the coupling to check.
    """
    coupling = case.make(_spec(case))
    if not isinstance(coupling, nn.Module):
        raise NotApplicableError("it learns nothing")
    other = case.make(_spec(case))
    assert isinstance(other, nn.Module)
    seen = _learn(case, coupling)
    other.load_state_dict(copy.deepcopy(coupling.state_dict()))
    assert same(_weights(coupling, seen), _weights(other, seen)), (
        "state_dict does not hold all that the weights depend on"
    )


def learning_leaves_global_randomness_alone(case: CouplingCase) -> None:
    """The losses of a coupling draw nothing from torch's global generator.

    Why:
        Equal seeds are to give equal runs.

    Broken by:
        Dropout, sampling within a loss.

    Args:
        case: the coupling to check.
    """
    coupling = case.make(_spec(case))
    if not isinstance(coupling, LearnsItself):
        raise NotApplicableError("it learns nothing")
    with no_global_randomness("a coupling that learns"):
        _learn(case, coupling)


def _spec(case: CouplingCase) -> EnvironmentSpec:
    return case.environment.build(1, 0).spec


def _rollouts(case: CouplingCase, coupling: Coupling) -> Iterator[Rollout]:
    """What the coupling would learn from, played by a host that learns nothing."""
    spec = _spec(case)
    host = PlainHost(spec, case.environment.generator(0))
    if coupling.needs.component_scores:
        host.score_components(coupling.needs.component_scores)
    strategy = CoupledExploration(case.policy(spec), coupling)
    return islice(
        rollouts(
            case.environment,
            host,
            strategy,
        ),
        _ROLLOUTS,
    )


def _learn(case: CouplingCase, coupling: Coupling) -> Rollout:
    """Learn from some rollouts, where the coupling learns at all; the last of them."""
    for rollout in _rollouts(case, coupling):
        if isinstance(coupling, LearnsItself):
            for loss in coupling.losses(rollout, LearningContext()):
                descend(coupling, loss)
    return rollout


def _weights(coupling: Coupling, rollout: Rollout) -> Tensor:
    first = rollout.observations.map(lambda value: value[0])
    device = rollout.actions.device
    return coupling.weights(
        Moment(
            rollout.progress,
            device,
            first,
        )
    )


LEARNT_COUPLING_CHECKS = by_name(
    what_learns_is_a_module,
    losses_teach_the_weights,
    state_dict_holds_the_weights,
    learning_leaves_global_randomness_alone,
)
