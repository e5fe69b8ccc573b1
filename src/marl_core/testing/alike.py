"""Whether two lots of games go on alike, by the means of all that they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.episodes import games_of
from marl_core.protocols import Environment
from marl_core.testing.checking import SIGMAS, same
from marl_core.testing.play import (
    still_dead,
    tensors_of,
    write_out,
)
from marl_core.types import (
    Box,
    Observation,
    StepResult,
)

#: Says what everybody does, from the environment, what is seen, and the number of the step.
Chooser = Callable[[Environment, Observation, int], Tensor]
#: The number of actions from which agents choose in a box. They are evenly spaced between its
#: bounds.
POINTS = 4


@dataclass
class Course:
    """What some games of an environment give, step by step.

    Attributes:
        which: the games, ``[E]``.
        given: by name, a tensor ``[games, ...]`` for each step; 0 once a game is over.
    """

    which: Bool[Tensor, "E"]
    given: dict[str, list[Tensor]] = field(default_factory=dict)

    def add(
        self,
        on: Bool[Tensor, "E"],
        tensors: dict[str, Tensor],
    ) -> None:
        """Take down a step.

        Args:
            on: which games were on.
            tensors: what they gave, by name, leading axis E.
        """
        for name, value in tensors.items():
            there = on.view(-1, *[1] * (value.dim() - 1))
            kept = torch.where(
                there,
                value,
                torch.zeros_like(value),
            )
            self.given.setdefault(name, []).append(kept[self.which].float())


def follow(
    environment: Environment,
    first: Observation,
    choose: Chooser,
    which: Bool[Tensor, "E"],
    steps: int,
) -> Course:
    """Play on, and take down what some games give.

    Args:
        environment: is played.
        first: what its agents see now.
        choose: says what everybody does.
        which: whose course is taken down, ``[E]``.
        steps: at most this number is played.
    """
    course = Course(which)
    seen = first
    on = torch.ones_like(which)
    course.add(on, write_out(environment, seen).tensors())
    for number in range(min(environment.spec.max_steps, steps)):
        result = environment.step(choose(environment, seen, number))
        course.add(on, outcome(environment, result))
        on = on & ~result.ended
        seen = result.observation
    return course


def outcome(environment: Environment, result: StepResult) -> dict[str, Tensor]:
    """All that a step gives, with tables and rows written out, by name.

    Args:
        environment: gave it.
        result: what came of the step.
    """
    return tensors_of(result) | write_out(environment, result.observation).tensors()


def preferring(
    environment: Environment,
    seen: Observation,
    preferred: int,
) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
    """The legal action that comes first, counted from the preferred one on.

    In a box there are ``POINTS`` of them, from the low bounds to the high ones.

    Args:
        environment: is played.
        seen: what its agents see.
        preferred: the number of an action; beyond the last it begins with the first again.
    """
    spec = environment.spec
    device = next(iter(seen.tensors().values())).device
    if spec.box is not None:
        return _at_point(spec.box, preferred, spec.agents, seen)
    order = torch.arange(spec.actions, device=device) - preferred
    rank = (order % spec.actions).expand(games_of(seen), spec.agents, -1)
    legal = write_out(environment, seen).legal_actions()
    if legal is not None:
        rank = torch.where(legal, rank, spec.actions)
    actions = rank.argmin(-1)
    return actions if seen.alive is None else actions.masked_fill(~seen.alive, 0)


def _at_point(
    box: Box,
    preferred: int,
    agents: int,
    seen: Observation,
) -> Float[Tensor, "E N D"]:
    like = next(value for value in seen.tensors().values() if value.is_floating_point())
    low, high = box.bounds(like)
    share = preferred % POINTS / (POINTS - 1)
    one = low + share * (high - low)
    actions = one.expand(games_of(seen), agents, -1)
    return still_dead(box.clipped(actions), seen, box)


def difference(one: Course, other: Course) -> str | None:
    """The name of what two courses differ in, beyond chance; None: they are alike.

    Args:
        one: of some games.
        other: of as many games.
    """
    for name, values in one.given.items():
        for mine, theirs in zip(values, other.given[name], strict=True):
            if not same(mine, theirs) and not _within_chance(mine, theirs):
                return name
    return None


def _within_chance(one: Tensor, other: Tensor) -> bool:
    """Whether two samples, leading axis games, may have the same means."""
    error = (one.var(0) + other.var(0)).div(len(one)).sqrt()
    off = (one.mean(0) - other.mean(0)).abs()
    return bool((off <= SIGMAS * error + 1e-6).all())
