"""REINFORCE with rewards to go, on a policy that is linear in what an agent sees."""

from __future__ import annotations

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


class LinearReinforceConfig(HostConfig):
    """Settings of the host."""

    name: str = "linear_reinforce"
    learning_rate: float = Field(
        default=0.02, gt=0, le=10, description="Of the policy."
    )
    gamma: float = Field(default=0.95, ge=0, le=1, description="Discount of a step.")

    @property
    def capabilities(self) -> HostCapabilities:
        """Logits, from features."""
        return HostCapabilities(scores="logits")


class LinearReinforce(HostModule):
    """One linear layer for all agents, which tell themselves apart by what they see."""

    Config = LinearReinforceConfig

    def __init__(
        self,
        config: LinearReinforceConfig,
        spec: EnvironmentSpec,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        assert spec.features is not None, "the capabilities ask for features"
        self.config = config
        self.policy = Stack.build(
            [spec.features, spec.actions], generator, relu=[False], last_gain=0.01
        )

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        """Logits."""
        return self.policy(observation.features), memory

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """All of them alike."""
        parameters = list(self.policy.parameters())
        return [ParameterGroup(parameters, self.config.learning_rate, 0.5)]

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """One step. What is averaged over samples is averaged over all ranks."""
        acting = rollout.acting.float()  # 0 for the dead, and after a game's end
        samples = context.ranks.mean(acting.sum()).clamp(min=1)
        advantage = self._advantage(rollout, acting, context)
        distinct = DistinctObservations(rollout)
        seen = distinct.observations
        logits, _ = self.scores(seen, {})
        legal = seen.legal_actions()
        rows = policy.log_policy(logits, legal, rollout.progress)
        log_policy = distinct.at_steps(rows)
        chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
        entropy = -(log_policy.exp() * log_policy).sum(-1)
        bonus = policy.entropy_coefficient(rollout.progress)
        total = -((chosen * advantage + bonus * entropy) * acting).sum() / samples
        yield Loss(total, {"policy_loss": total.detach()})

    def _advantage(
        self, rollout: Rollout, acting: Tensor, context: LearningContext
    ) -> Tensor:
        """Rewards to go, less what is usual at that step.

        There is no critic to bootstrap from, so a game that was cut off counts as it stands.
        """
        reward = rollout.reward * acting
        following = torch.zeros_like(reward[0])
        to_go = []
        for step in reversed(range(len(reward))):
            following = reward[step] + self.config.gamma * following
            to_go.append(following)
        earned = torch.stack(to_go[::-1]) * acting
        mean = context.ranks.mean
        usual = mean(earned.sum((1, 2))) / mean(acting.sum((1, 2))).clamp(min=1e-8)
        return earned - usual.view(-1, 1, 1)
