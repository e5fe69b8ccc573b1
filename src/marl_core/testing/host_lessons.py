"""From what a host may learn, and from what not: by its gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.testing.checking import by_name, same
from marl_core.testing.gradients import trainable
from marl_core.testing.junk import (
    after_the_end,
    among_the_dead,
    in_the_padding,
    with_ends,
    with_the_dead,
)
from marl_core.testing.learning import HostCase, random_trajectory
from marl_core.testing.lessons import (
    first_with_lessons,
    lessons,
    moved_host,
    played,
    same_lessons,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec, Rollout

_GAMES = 4


def padding_teaches_nothing(case: HostCase) -> None:
    """Entries after a game's end have no influence on any gradient.

    Why:
        Games of a batch end at different times, and what stands behind an end is anything.

    Broken by:
        ``mean()`` over all steps in the loss, the entropy, the value loss or the normalisation of
        advantages; returns that look past an end.

    Args:
        case: the host to check.
    """
    if case.spec.fixed_length:
        raise NotApplicableError("all games of its environment are equally long")
    for rollout in played(case):
        if not rollout.valid.all() and lessons(case, rollout):
            _check(case, rollout, in_the_padding, "after the ends of games")
            return
    raise NotApplicableError("no game of its environment ended before another")


def the_dead_teach_nothing(case: HostCase) -> None:
    """What an agent sees, does and earns that is dead from the beginning changes no gradient.

    Why:
        Nobody chose what the dead do.

    Broken by:
        ``valid`` in place of ``acting`` in a loss, an entropy, or the normalisation.

    Args:
        case: the host to check.
    """
    if not case.spec.agents_die:
        raise NotApplicableError("nobody dies in its environment")
    unmasked = replace(
        case, make=lambda spec, generator: case.make(_unmasked(spec), generator)
    )
    died, dead = with_the_dead(without_table(first_with_lessons(case)))
    _check(
        unmasked,
        died,
        lambda rollout: among_the_dead(rollout, dead),
        "of agents that were never alive",
    )


def nothing_comes_after_a_termination(case: HostCase) -> None:
    """What is seen after a game that terminated changes no gradient: nothing is bootstrapped.

    Why:
        The task is over: there is nothing to earn.

    Broken by:
        Bootstrapping that asks for no ``terminated``, targets that are one step off.

    Args:
        case: the host to check.
    """
    rollout = with_ends(first_with_lessons(case), terminated=True)
    _check(case, rollout, after_the_end, "after games that terminated")


def a_truncated_game_has_a_future(case: HostCase) -> None:
    """What is seen after a game that was truncated is what a learner of values bootstraps from.

    Why:
        A limit from outside does not make a state worthless.

    Broken by:
        ``ended`` or ``done`` where ``terminated`` is meant.

    Args:
        case: the host to check.
    """
    if not _learns_values(case):
        raise NotApplicableError("it learns no values")
    rollout = with_ends(first_with_lessons(case), terminated=False)
    changed = not same_lessons(
        lessons(case, rollout),
        lessons(case, after_the_end(rollout)),
    )
    assert changed, (
        "what is seen after games that were truncated changes no gradient: "
        "is a time limit taken for an end?"
    )


def rollouts_are_only_read(case: HostCase) -> None:
    """Learning does not write into the rollout.

    Why:
        Rollouts are kept: replay gives the same episode again.

    Broken by:
        Normalising rewards or advantages in place, ``masked_fill_``.

    Args:
        case: the host to check.
    """
    rollout = first_with_lessons(case)
    before = {name: value.clone() for name, value in rollout.tensors().items()}
    policy = case.exploration.individual
    for _ in moved_host(case).losses(rollout, policy, LearningContext()):
        pass
    for name, value in rollout.tensors().items():
        assert same(value, before[name]), f"losses writes into the rollout's {name}"


def _check(
    case: HostCase,
    rollout: Rollout,
    spoil: Callable[[Rollout], Rollout],
    where: str,
) -> None:
    """See that junk somewhere changes no gradient."""
    clean = lessons(case, rollout)
    assert clean, "the rollout brought no loss"
    dirty = lessons(case, spoil(rollout))
    assert same_lessons(clean, dirty), f"gradients depend on what stands {where}"


def _unmasked(spec: EnvironmentSpec) -> EnvironmentSpec:
    return replace(spec, action_masks=False)


def _learns_values(case: HostCase) -> bool:
    """Whether scores are values, or something is trained that no score depends on."""
    host = moved_host(case)
    if host.capabilities.scores == "values":
        return True
    parameters = list(trainable(host).values())
    memory = host.initial_memory(_GAMES)
    total = torch.zeros(())
    for seen in random_trajectory(case, _GAMES, 1):
        scores, memory = host.scores(seen, memory)
        total = total + scores.square().sum()
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    return any(gradient is None or not gradient.any() for gradient in found)


HOST_LESSON_CHECKS = by_name(
    padding_teaches_nothing,
    the_dead_teach_nothing,
    nothing_comes_after_a_termination,
    a_truncated_game_has_a_future,
    rollouts_are_only_read,
)
