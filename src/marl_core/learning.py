"""What the driver of training gives a host: the ranks that learn together, and how losses are
evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable

from torch import Tensor

from marl_core.types import Loss

#: Computes a loss and what to log about it, from its arguments and the host's parameters alone.
Objective = Callable[..., tuple[Tensor, Mapping[str, Tensor]]]
#: Evaluates an objective at some arguments.
Evaluator = Callable[..., Loss]


@runtime_checkable
class Ranks(Protocol):
    """The processes that train together. With one process every reduction is the identity."""

    @property
    def count(self) -> int:
        """How many there are."""

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the ranks. Every rank must call it, and gets the same.

        Args:
            value: this rank's, of any shape.
        """


@final
class SingleRank:
    """One process: every reduction is the identity."""

    @property
    def count(self) -> int:
        """One."""
        return 1

    def mean(self, value: Tensor) -> Tensor:
        """The value itself.

        Args:
            value: of any shape.
        """
        return value


def eagerly(objective: Objective, *arguments: Any) -> Loss:
    """Evaluate an objective as it stands.

    Args:
        objective: gives a loss and its metrics.
        arguments: what it is called with.
    """
    return Loss(*objective(*arguments))


@final
@dataclass(frozen=True)
class LearningContext:
    """What a host learns with.

    Attributes:
        ranks: the processes that train together.
        evaluate: how objectives are evaluated: eagerly, or compiled together with their gradients.
    """

    ranks: Ranks = field(default_factory=SingleRank)
    evaluate: Evaluator = eagerly

    def loss_of(self, objective: Objective, *arguments: Any) -> Loss:
        """Evaluate an objective.

        A host that gets its losses by this can be compiled (``training.compile``). The objective
        must then be a function of its arguments and the host's parameters alone.

        Args:
            objective: a method of the host that gives a loss and what to log about it.
            arguments: what it is called with.
        """
        return self.evaluate(objective, *arguments)
