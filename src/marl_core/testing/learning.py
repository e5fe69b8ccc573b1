"""Having a host play and learn a little, as its checks need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from marl_core.abilities import LearnsItself
from marl_core.collection.collector import Collector
from marl_core.learning import LearningContext
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.testing.plain import PLAIN
from marl_core.testing.play import EnvironmentCase, play, write_out
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    Progress,
    Rollout,
)

#: A host that learns from its replay may ask for several rollouts before its first loss.
ROLLOUTS, GAMES = 8, 32


#: What hosts are tried on where a case does not say otherwise.
PRACTICE = EnvironmentCase(partial(Practice, PracticeConfig()))


@dataclass(frozen=True)
class HostCase:
    """A host to check: ``make(spec, generator)`` builds one; what it plays, and how the team explores."""

    make: Callable[[EnvironmentSpec, torch.Generator], HostAlgorithm]
    environment: EnvironmentCase = PRACTICE
    exploration: ExplorationStrategy = PLAIN

    def build(self, seed: int = 0) -> HostAlgorithm:
        """A host for the environment."""
        return self.make(
            self.environment.build(1, 0).spec, torch.Generator().manual_seed(seed)
        )


def course_of_play(case: HostCase, games: int, seed: int) -> list[Observation]:
    """What is seen in an episode of random play, written out."""
    environment = case.environment.build(games, seed)
    played = play(environment, environment.reset(), case.environment.generator(seed))
    return [
        replace(write_out(environment, step.before), situation=None) for step in played
    ]


@torch.no_grad()
def score_all(
    host: HostAlgorithm, course: Sequence[Observation], games: int
) -> list[Tensor]:
    """The scores at each step of a course."""
    memory: Memory = host.initial_memory(games)
    found = []
    for seen in course:
        scores, memory = host.scores(seen, memory)
        found.append(scores)
    return found


def rollouts(case: HostCase, host: HostAlgorithm) -> Iterator[Rollout]:
    """What a host would learn from, a few updates long."""
    environment = case.environment.build(GAMES, 7)
    collector = Collector(environment, case.environment.generator(8))
    for update in range(ROLLOUTS):
        yield collector.collect(
            host, case.exploration, Progress(episodes=update * GAMES, updates=update)
        )


def learn(case: HostCase, host: HostAlgorithm) -> Iterator[Loss]:
    """The losses of the first rollout that brings any."""
    for rollout in rollouts(case, host):
        any_loss = False
        for loss in host.losses(
            rollout, case.exploration.individual, LearningContext()
        ):
            any_loss = True
            yield loss
        if any_loss:
            return


def parameters_of(part: object) -> dict[str, nn.Parameter]:
    """The parameters of a host or a coupling, by name.

    A part that is no ``nn.Module`` shows those alone that it wants to be optimised.

    Args:
        part: which learns.
    """
    if isinstance(part, nn.Module):
        return dict(part.named_parameters())
    assert isinstance(part, HostAlgorithm | LearnsItself)
    return {
        f"parameter {index} of group {number}": parameter
        for number, group in enumerate(part.parameter_groups())
        for index, parameter in enumerate(group.parameters)
    }


def trainable(part: object) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, by name.

    Args:
        part: a host, or a coupling that learns.
    """
    every = parameters_of(part).items()
    return {name: parameter for name, parameter in every if parameter.requires_grad}


def gradients_of(host: HostAlgorithm, loss: Loss) -> dict[str, Tensor | None]:
    """The gradient by each parameter that is not frozen; None where the loss does not depend on it."""
    parameters = trainable(host)
    found = torch.autograd.grad(
        loss.total, list(parameters.values()), allow_unused=True, retain_graph=True
    )
    return dict(zip(parameters, found, strict=True))


def descend(host: HostAlgorithm, loss: Loss) -> None:
    """A small step down the loss."""
    gradients = gradients_of(host, loss)
    with torch.no_grad():
        for name, parameter in trainable(host).items():
            gradient = gradients[name]
            if gradient is not None:
                parameter.sub_(gradient, alpha=1e-3)
