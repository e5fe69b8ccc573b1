"""The plainest parts there are, for trying others on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds, HostCapabilities, Scores
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.joint_policy import JointPolicy
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Moment,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)


@final
class PlainSoftmax:
    """An individual policy that is a softmax over any scores."""

    @property
    def accepts(self) -> frozenset[Scores]:
        """Logits and values."""
        return frozenset({"logits", "values"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of the softmax of the scores.

        Args:
            scores: a host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is; it makes no difference.
        """
        return log_softmax_policy(scores, legal)

    def entropy_coefficient(self, progress: Progress) -> float:
        """No entropy bonus.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return 0.0


#: How a team explores where a check does not care: each agent draws from a softmax, independently.
PLAIN = CoupledExploration(PlainSoftmax())


@final
class SharedLatent:
    """A coupling whose team shares a latent variable.

    Each value has scores of its own, and all values are equally likely.

    Args:
        count: C, how many values the latent variable has.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def component_names(self) -> tuple[str, ...]:
        """The number of each value."""
        return tuple(str(index) for index in range(self._count))

    @property
    def holds(self) -> Holds:
        """For an episode."""
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        """Scores for each value."""
        return CouplingNeeds(component_scores=self._count)

    def weights(self, moment: Moment) -> Float[Tensor, "C"]:
        """Every value is equally likely.

        Args:
            moment: says on which device.
        """
        return torch.full(
            (self._count,),
            1 / self._count,
            device=moment.device,
        )

    def law(
        self,
        policies: Float[Tensor, "C *B N A"],
        weights: Float[Tensor, "C"],
        progress: Progress,
    ) -> JointPolicy:
        """Given the value, agents act independently by its policies.

        Args:
            policies: every agent's policy for each value, ``[C, *B, N, A]``.
            weights: ``[C]``.
            progress: how far the run is; it makes no difference.
        """
        individual = torch.tensordot(weights, policies, dims=1)
        return JointPolicy(individual, policies, weights)


@final
class PlainHost:
    """A host that learns nothing: its scores are linear in the features.

    It can score actions for any number of components, each by weights of its own.

    Args:
        spec: what the environment gives; features among it.
        generator: where the weights come from.
    """

    def __init__(self, spec: EnvironmentSpec, generator: torch.Generator) -> None:
        assert spec.features is not None, "a plain host needs features"
        self._shape = (spec.features, spec.actions)
        self._generator = generator
        self._weights = self._drawn(())
        self._of_components = self._drawn((1,))

    @property
    def capabilities(self) -> HostCapabilities:
        """It gives logits, for each component too."""
        return HostCapabilities(scores="logits", component_scores=True)

    def initial_memory(self, games: int) -> Memory:
        """It remembers nothing.

        Args:
            games: how many games.
        """
        return {}

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Score every action of every agent.

        Args:
            observation: with features.
            memory: empty.
        """
        assert observation.features is not None
        return observation.features @ self._weights, memory

    def score_components(self, count: int) -> None:
        """Draw weights for each component.

        Args:
            count: C, the number of components.
        """
        self._of_components = self._drawn((count,))

    def component_scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "C *B N A"], Memory]:
        """Score every action of every agent, in each component.

        Args:
            observation: with features.
            memory: empty.
        """
        features = observation.features
        assert features is not None
        each = [features @ weights for weights in self._of_components]
        return torch.stack(each), memory

    def losses(
        self,
        rollout: Rollout,
        policy: IndividualPolicy,
        context: LearningContext,
    ) -> Iterator[Loss]:
        """Nothing is learnt.

        Args:
            rollout: is not looked at.
            policy: is not looked at.
            context: is not looked at.
        """
        return iter(())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """There is nothing to optimise."""
        return []

    def state_dict(self) -> dict[str, Tensor]:
        """There is nothing to save."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """There is nothing to load.

        Args:
            state: is not looked at.
        """

    def _drawn(self, leading: tuple[int, ...]) -> Tensor:
        shape = (*leading, *self._shape)
        device = self._generator.device
        return torch.randn(
            shape,
            generator=self._generator,
            device=device,
        )
