"""Having a host play and learn a little, as its checks need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.base_config import ExplorationConfig
from marl_core.collection.collector import Collector
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.protocols import ExplorationStrategy, HostAlgorithm, Scores
from marl_core.testing.play import EnvironmentCase, play, write_out
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.training.ranks import SingleRank
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


@final
class PlainSoftmax(ExplorationStrategy):
    """Softmax over any scores, each agent for itself: the plainest exploration there is."""

    Config = ExplorationConfig

    def __init__(self, config: ExplorationConfig | None = None) -> None:
        pass

    @property
    def accepts(self) -> frozenset[Scores]:
        """Both."""
        return frozenset({"logits", "values"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """Softmax of the scores."""
        return log_softmax_policy(scores, legal)


#: What hosts are tried on, and how the team explores, where a case does not say otherwise.
PRACTICE = EnvironmentCase(partial(Practice, PracticeConfig()))
PLAIN = PlainSoftmax()


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
        for loss in host.losses(rollout, case.exploration, SingleRank()):
            any_loss = True
            yield loss
        if any_loss:
            return


def trainable(host: HostAlgorithm) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, by name."""
    return {name: p for name, p in host.named_parameters() if p.requires_grad}


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
