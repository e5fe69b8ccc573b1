"""A team whose individual policies in FME are given, and never learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.config.run import RunConfig
from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state
from marl_core.types import Loss, Memory, Observation, ParameterGroup, Rollout


@final
class FixedTeam(HostModule):
    """Scores that are the logarithms of given probabilities ``[M, N, A]``.

    It reads the level, which a table lists in order, off the row of the observation.
    """

    capabilities = HostCapabilities(scores="logits")

    def __init__(self, policies: Tensor) -> None:
        super().__init__()
        self._logits = policies.log().clamp(min=-1e4)

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        assert observation.features is not None
        assert observation.features.shape[:2] == self._logits.shape[:2], "not the table"
        return self._logits, memory

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        raise NotImplementedError

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        raise NotImplementedError


def towards(actions: Tensor, probability: float, action_count: int) -> Tensor:
    """Policies that take the given actions ``[M, N]`` with a probability, others alike."""
    chosen = torch.nn.functional.one_hot(actions, action_count)
    rest = (1 - probability) / (action_count - 1)
    return rest + chosen * (probability - rest)


def fixed_team(policies: Tensor, tag: str, seed: int = 0) -> RunState:
    """A run of that team on FME."""
    data: dict[str, Any] = {
        "seed": seed,
        "environment": {
            "name": "fme",
            "agents": policies.shape[1],
            "actions": policies.shape[2],
            "tag": tag,
        },
        "host": {"name": "ppo_ma"},
        "exploration": {"name": "entropy_sampling", "coefficient": 0.05},
        "stages": [{"episodes": 512}],
    }
    state = first_state(RunConfig.model_validate(data))
    host = FixedTeam(policies)
    return RunState(state.config, state.spec, host, state.exploration, state.progress)
