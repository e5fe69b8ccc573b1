"""Teams that have learnt nothing: one that does nothing, and one that acts at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.collection.episodes import games_of
from marl_core.config.run import RunConfig
from marl_core.construction import environment_spec
from marl_core.evaluation.evaluate import evaluate
from marl_core.evaluation.scores import Score
from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.run_state import RunState
from marl_core.runs.assembly import stage_exploration
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)


@final
class NoPreference(HostModule):
    """A team whose agents like all actions alike, and which learns nothing.

    Greedily it takes the first of equally good actions, which does nothing in ADCA.

    Args:
        spec: what the environment gives.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__()
        self._shape = (spec.agents, spec.actions)

    @property
    def capabilities(self) -> HostCapabilities:
        """It looks at nothing."""
        return HostCapabilities("logits", needs=frozenset(), entity_rows=True)

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Zeros.

        Args:
            observation: says how many games there are.
            memory: empty.
        """
        return torch.zeros(games_of(observation), *self._shape), memory

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """Nothing is learnt.

        Args:
            rollout: makes no difference.
            policy: makes no difference.
            context: makes no difference.
        """
        return iter(())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """There are no parameters."""
        return []


def baseline_win_rates(config: RunConfig) -> Score:
    """How often teams win that have learnt nothing, in as many battles as a test of the run has.

    Args:
        config: of a run whose games can be won.

    Returns:
        ``greedy``: the team that does nothing; ``sampled``: the one that acts at random.
    """
    spec = environment_spec(config.environment)
    exploration = stage_exploration(config, 0, spec)
    nobody = NoPreference(spec)
    state = RunState(config, spec, nobody, exploration, Progress())
    found = evaluate(state, config.training.evaluation_episodes).win_rate
    assert found is not None
    return found
