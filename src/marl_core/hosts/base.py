"""A base that host algorithms may use: a module with the members that most hosts share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from marl_core.capabilities import HostCapabilities
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.types import Loss, Memory, Observation, ParameterGroup, Rollout


class HostModule(nn.Module, ABC):
    """An abstract host on ``nn.Module``; see ``marl_core.hosts.ppo.ppo_ma`` for a whole one.

    A subclass takes ``(config, spec, generator)`` and draws its initial weights from the generator.
    Note that torch's own layers draw theirs from the global generator:
    ``marl_core.hosts.networks`` has layers that do not.
    """

    @property
    @abstractmethod
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""

    def initial_memory(self, games: int) -> Memory:
        """Nothing: the host remembers nothing.

        Args:
            games: E, how many games.
        """
        return {}

    @abstractmethod
    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Score every action of every agent; with the memory for the next step.

        Args:
            observation: what the agents see, leading axes ``*B``.
            memory: the host's memory before this step, leading axis E.
        """

    @abstractmethod
    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """Learn from a rollout: yield a loss for each optimisation step.

        The step is taken before the next loss is asked for.

        Args:
            rollout: whole episodes.
            policy: the team's individual policy.
            context: the ranks that learn together, and how losses are evaluated.
        """

    @abstractmethod
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """What to optimise, and how fast."""
