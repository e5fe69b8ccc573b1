"""A host algorithm of one's own: REINFORCE, with the mean reward of each step as its baseline.

    marl train --config examples/custom_host.yaml

The config names it ``custom_host:Reinforce``; nothing has to be registered.
"""

from collections.abc import Iterator, Sequence

import torch
from pydantic import Field
from torch import Tensor

from marl_core.base_config import HostConfig
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.base import HostModule
from marl_core.hosts.networks import Stack
from marl_core.learning import LearningContext
from marl_core.observation_table import DistinctObservations
from marl_core.protocols import IndividualPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Rollout,
)


class ReinforceConfig(HostConfig):
    learning_rate: float = Field(default=2e-3, gt=0)
    hidden: int = Field(default=16, gt=0)
    steps: int = Field(default=2, gt=0, description="Gradient steps on each batch.")


class Reinforce(HostModule):
    """One policy network for all agents; no critic."""

    Config = ReinforceConfig
    capabilities = HostCapabilities(scores="logits")

    def __init__(
        self, config: ReinforceConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        assert spec.features is not None
        self.config = config
        widths = [spec.features, config.hidden, config.hidden, spec.actions]
        relu = [True, True, False]
        self.policy = Stack.build(widths, generator, relu=relu, last_gain=0.01)

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        return self.policy(observation.features), memory

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        rate = self.config.learning_rate
        return [ParameterGroup(list(self.policy.parameters()), rate, 0.5)]

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        acting = rollout.acting.float()  # 0 for the dead, and after a game's end
        mean = context.ranks.mean
        rewarded = mean((rollout.reward * acting).sum(1, keepdim=True))
        played = mean(acting.sum(1, keepdim=True))
        advantage = (rollout.reward - rewarded / played.clamp(min=1e-8)) * acting
        samples = mean(acting.sum())
        bonus = policy.entropy_coefficient(rollout.progress)
        distinct = DistinctObservations(rollout)
        seen = distinct.observations
        for _ in range(self.config.steps):
            logits, _ = self.scores(seen, {})
            rows = policy.log_policy(logits, seen.legal_actions(), rollout.progress)
            log_policy = distinct.at_steps(rows)
            chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
            entropy = -(log_policy.exp() * log_policy).sum(-1)
            total = -(chosen * advantage + bonus * entropy * acting).sum() / samples
            yield Loss(total, {"policy_loss": total.detach()})
