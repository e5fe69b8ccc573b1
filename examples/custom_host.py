"""A host algorithm of one's own: REINFORCE with the mean reward of each step as its baseline.

    marl train --config examples/custom_host.yaml

The config names it ``custom_host:Reinforce``; nothing has to be registered. That it keeps the protocol's promises is
checked by ``marl_core.testing``: see ``tests/test_examples.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from marl_core.base_config import HostConfig
from marl_core.hosts.networks import Stack
from marl_core.observation_table import DistinctObservations
from marl_core.protocols import (
    ExplorationStrategy,
    HostAlgorithm,
    HostNeeds,
    ParameterGroup,
    Ranks,
)
from marl_core.types import EnvironmentSpec, Loss, Memory, Observation, Rollout


class ReinforceConfig(HostConfig):
    """What a YAML file can say about it; unknown keys and wrong values are refused with file and line."""

    learning_rate: float = Field(default=2e-3, gt=0)
    hidden: int = Field(default=16, gt=0)
    steps: int = Field(default=2, gt=0, description="Gradient steps on each batch.")


@final
class Reinforce(HostAlgorithm):
    """One policy network for all agents; no critic."""

    Config = ReinforceConfig
    needs: ClassVar[HostNeeds] = HostNeeds(scores="logits", on_policy=True)

    def __init__(
        self, config: ReinforceConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, generator)
        assert spec.features is not None
        self.config = config
        widths, relu = (
            [spec.features, config.hidden, config.hidden, spec.actions],
            (True, True, False),
        )
        self.policy = Stack.build(widths, generator, relu=relu, last_gain=0.01)

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        assert observation.features is not None
        return self.policy(observation.features), memory

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [
            ParameterGroup(
                list(self.policy.parameters()),
                self.config.learning_rate,
                max_gradient_norm=0.5,
            )
        ]

    def losses(
        self, rollout: Rollout, exploration: ExplorationStrategy, ranks: Ranks
    ) -> Iterator[Loss]:
        acting = (
            rollout.acting.float()
        )  # 0 for the dead, and for what lies behind the end of a game
        rewarded, played = (
            ranks.mean(x.sum(1, keepdim=True))
            for x in (rollout.reward * acting, acting)
        )
        advantage = (rollout.reward - rewarded / played.clamp(min=1e-8)) * acting
        samples = ranks.mean(acting.sum())
        coefficient = exploration.entropy_coefficient(rollout.progress)
        # The distinct observations where the environment knows them, else every sample.
        distinct = DistinctObservations(rollout)
        rows = distinct.observations
        for _ in range(self.config.steps):
            scores, _ = self.scores(rows, {})
            log_policy = distinct.at_steps(
                exploration.log_policy(scores, rows.legal_actions(), rollout.progress)
            )
            log_chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(
                -1
            )
            entropy = -(log_policy.exp() * log_policy).sum(-1)
            total = (
                -(log_chosen * advantage + coefficient * entropy * acting).sum()
                / samples
            )
            yield Loss(total, {"policy_loss": total.detach()})
