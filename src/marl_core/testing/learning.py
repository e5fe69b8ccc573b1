"""Having a host or a coupling play and learn a little, as their checks need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.learning import LearningContext
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.testing.plain import PLAIN
from marl_core.testing.play import EnvironmentCase, play, write_out
from marl_core.testing.practice import PRACTICE
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    Progress,
    Rollout,
)

#: A host that learns from its replay may ask for several rollouts before its first loss.
ROLLOUTS = 8
#: How many games a rollout has.
GAMES = 32


@dataclass(frozen=True)
class HostCase:
    """A host to check.

    Attributes:
        make: ``make(spec, generator)`` builds one; often ``functools.partial(SomeHost, config)``.
        environment: what it plays.
        exploration: how the team explores.
    """

    make: Callable[[EnvironmentSpec, torch.Generator], HostAlgorithm]
    environment: EnvironmentCase = field(default=PRACTICE)
    exploration: ExplorationStrategy = PLAIN

    @property
    def spec(self) -> EnvironmentSpec:
        """What the environment gives."""
        return self.environment.build(1, 0).spec

    def build(self, seed: int = 0) -> HostAlgorithm:
        """A host for the environment.

        Args:
            seed: of its generator.
        """
        return self.make(self.spec, torch.Generator().manual_seed(seed))


def random_trajectory(
    case: HostCase,
    games: int,
    seed: int,
) -> list[Observation]:
    """What is seen in an episode of random play, written out.

    Args:
        case: says what is played.
        games: how many games.
        seed: of the games and of the actions.
    """
    environment = case.environment.build(games, seed)
    played = play(
        environment,
        environment.reset(),
        case.environment.generator(seed),
    )
    seen = [write_out(environment, step.before) for step in played]
    return [replace(observation, row=None) for observation in seen]


@torch.no_grad()
def score_all(
    host: HostAlgorithm,
    trajectory: Sequence[Observation],
    games: int,
) -> list[Tensor]:
    """The scores at each step of a trajectory.

    Args:
        host: scores.
        trajectory: what is seen at each step.
        games: of how many games.
    """
    memory: Memory = host.initial_memory(games)
    found = []
    for seen in trajectory:
        scores, memory = host.scores(seen, memory)
        found.append(scores)
    return found


def rollouts(
    environment: EnvironmentCase,
    host: HostAlgorithm,
    exploration: ExplorationStrategy,
) -> Iterator[Rollout]:
    """What would be learnt from, a few updates long.

    Args:
        environment: what is played.
        host: scores actions.
        exploration: how the team explores.
    """
    games = environment.build(GAMES, 7)
    collector = Collector(games, environment.generator(8))
    for update in range(ROLLOUTS):
        progress = Progress(episodes=update * GAMES, updates=update)
        yield collector.collect(host, exploration, progress)


def learn(case: HostCase, host: HostAlgorithm) -> Iterator[Loss]:
    """The losses of the first rollout that brings any.

    Args:
        case: says what is played.
        host: plays and learns.
    """
    played = rollouts(
        case.environment,
        host,
        case.exploration,
    )
    return first_losses(case, host, played)


def first_losses(
    case: HostCase,
    host: HostAlgorithm,
    played: Iterable[Rollout],
) -> Iterator[Loss]:
    """The losses of the first rollout that brings any.

    Args:
        case: says what the team's individual policy is.
        host: learns.
        played: what it may learn from.
    """
    policy = case.exploration.individual
    for rollout in played:
        any_loss = False
        for loss in host.losses(rollout, policy, LearningContext()):
            any_loss = True
            yield loss
        if any_loss:
            return
