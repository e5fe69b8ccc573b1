"""Having a host or a coupling play and learn a little, as their checks need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from marl_core.abilities import LearnsItself
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

#: What learns by gradients.
Learning = HostAlgorithm | LearnsItself


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


def random_trajectory(case: HostCase, games: int, seed: int) -> list[Observation]:
    """What is seen in an episode of random play, written out.

    Args:
        case: says what is played.
        games: how many games.
        seed: of the games and of the actions.
    """
    environment = case.environment.build(games, seed)
    played = play(environment, environment.reset(), case.environment.generator(seed))
    seen = [write_out(environment, step.before) for step in played]
    return [replace(observation, row=None) for observation in seen]


@torch.no_grad()
def score_all(
    host: HostAlgorithm, trajectory: Sequence[Observation], games: int
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
    environment: EnvironmentCase, host: HostAlgorithm, exploration: ExplorationStrategy
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
    played = rollouts(case.environment, host, case.exploration)
    return first_losses(case, host, played)


def first_losses(
    case: HostCase, host: HostAlgorithm, played: Iterable[Rollout]
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


def parameters_of(part: Learning) -> dict[str, nn.Parameter]:
    """The parameters of a host or a coupling, by name.

    A part that is no ``nn.Module`` shows those alone that it wants to be optimised.

    Args:
        part: which learns.
    """
    if isinstance(part, nn.Module):
        return dict(part.named_parameters())
    named = {}
    for number, group in enumerate(part.parameter_groups()):
        for index, parameter in enumerate(group.parameters):
            named[f"parameter {index} of group {number}"] = parameter
    return named


def trainable(part: Learning) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, by name.

    Args:
        part: which learns.
    """
    every = parameters_of(part).items()
    return {name: parameter for name, parameter in every if parameter.requires_grad}


def gradients_of(part: Learning, loss: Loss) -> dict[str, Tensor | None]:
    """The gradient by each parameter that is not frozen; None where the loss does not depend on it.

    Args:
        part: which learns.
        loss: what it learns by.
    """
    parameters = trainable(part)
    found = torch.autograd.grad(
        loss.total, list(parameters.values()), allow_unused=True, retain_graph=True
    )
    return dict(zip(parameters, found, strict=True))


def descend(part: Learning, loss: Loss) -> None:
    """Take a small step down a loss.

    Args:
        part: whose parameters are changed.
        loss: what it learns by.
    """
    gradients = gradients_of(part, loss)
    with torch.no_grad():
        for name, parameter in trainable(part).items():
            gradient = gradients[name]
            if gradient is not None:
                parameter.sub_(gradient, alpha=1e-3)


def check_losses(part: Learning, losses: Iterable[Loss]) -> None:
    """See that there are losses, each finite, and that gradients reach every trainable parameter.

    Args:
        part: which learns.
        losses: what it learns by.

    Raises:
        AssertionError: it is not so.
    """
    missed = set(trainable(part))
    count = 0
    for loss in losses:
        count += 1
        shape = tuple(loss.total.shape)
        assert shape == (), f"a loss has shape {shape}"
        assert loss.total.isfinite(), "a loss is not finite"
        for name, gradient in gradients_of(part, loss).items():
            if gradient is None:
                continue
            assert gradient.isfinite().all(), f"the gradient of {name} is not finite"
            if gradient.any():
                missed.discard(name)
    assert count, f"{ROLLOUTS} rollouts brought no loss"
    assert not missed, f"no gradient reaches {', '.join(sorted(missed))}"


def check_groups(part: Learning) -> None:
    """See that every trainable parameter is optimised, and by one group only.

    Args:
        part: which learns.

    Raises:
        AssertionError: it is not so.
    """
    names = {parameter: name for name, parameter in parameters_of(part).items()}
    groups = part.parameter_groups()
    grouped = [parameter for group in groups for parameter in group.parameters]
    assert all(parameter in names for parameter in grouped), (
        "a parameter group holds what is no parameter of the host or the coupling"
    )
    trained = [names[parameter] for parameter in grouped if parameter.requires_grad]
    assert len(set(trained)) == len(trained), "a parameter is in two groups"
    left_out = ", ".join(sorted(trainable(part).keys() - set(trained)))
    assert not left_out, (
        f"parameter_groups leaves out {left_out}: "
        "frozen parameters need requires_grad=False"
    )
