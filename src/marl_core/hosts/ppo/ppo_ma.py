"""PPO-MA: dual-clip PPO with parameters shared by all agents.

Table 3; like MAPPO (Yu et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.networks import Stack
from marl_core.hosts.ppo.advantages import AdvantageStatistics
from marl_core.hosts.ppo.batches import Batch, Evaluated, sample_batch, table_batch
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.early_end import while_inside_clip
from marl_core.hosts.ppo.surrogate import ClipRange, actions_first, clipped_objective
from marl_core.learning import LearningContext, Ranks
from marl_core.observation_table import DistinctObservations
from marl_core.protocols import IndividualPolicy
from marl_core.returns import generalised_advantages
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)


class _Layers(NamedTuple):
    """What the networks make of observations on the way to policy and value.

    Attributes:
        encoded: the encoder's output, from which the value is computed.
        hidden: the body's output, from which the policy is computed.
    """

    encoded: Float[Tensor, "*B N H"]
    hidden: Float[Tensor, "*B N H"]


@final
class PPOMA(HostModule):
    """PPO-MA: dual-clip PPO with parameters shared by all agents.

    Actor: an encoder of the observation, a body, then a small head. Critic: a head of its own on
    the same encoder. As in the authors' program, policy and value both train the encoder; with an
    encoder for each, agents tell each other apart less well (docs/results/fme.md). The team reward
    is given to every agent; advantages are normalised over the batch of all ranks.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Raises:
        UserError: the environment gives no features.
    """

    Config = PPOMAConfig

    def __init__(
        self, config: PPOMAConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.features is None:
            raise UserError("ppo_ma needs feature observations")
        self.config = config
        self._agents = spec.agents
        self._clip = ClipRange(config.clip, config.dual_clip)
        width = config.hidden
        self.encoder = Stack.build(
            [spec.features, width, width],
            generator,
            relu=(True, False),
        )
        self.body = Stack.build(
            [width] * 4,
            generator,
            relu=(True, True, False),
        )
        self.head = Stack.build(
            [width, width, spec.actions],
            generator,
            relu=(True, False),
            last_gain=0.01,
            agents=spec.agents if config.identity_in_head else 0,
        )
        self.critic = Stack.build(
            [width, width, 1],
            generator,
            relu=(True, False),
        )

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Logits.

        Args:
            observation: with features, leading axes ``*B``.
            memory: empty.
        """
        return self.head(self._layers(observation).hidden), memory

    def _encode(self, observation: Observation) -> Tensor:
        assert observation.features is not None
        return self.encoder(observation.features)

    def _layers(self, observation: Observation) -> _Layers:
        encoded = self._encode(observation)
        return _Layers(encoded, self.body(encoded))

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Policy, the encoder included, and critic."""
        policy = [
            *self.encoder.parameters(),
            *self.body.parameters(),
            *self.head.parameters(),
        ]
        rate = self.config.learning_rate
        schedule = self.config.learning_rate_schedule
        critic = list(self.critic.parameters())
        return [
            ParameterGroup(policy, rate, self.config.max_gradient_norm, schedule),
            ParameterGroup(
                critic,
                rate * self.config.critic_rate_factor,
                schedule=schedule,
            ),
        ]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change: encoder and body frozen, a head for each agent (Section 6.1)."""
        self.encoder.requires_grad_(False)
        self.body.requires_grad_(False)
        self.head.copy_for_each_agent(self._agents)

    def share_heads(self, groups: Sequence[int]) -> None:
        """Have the agents of a group share one head (``SharesHeads``).

        Args:
            groups: the group of each agent. Each lies in one of the groups before.
        """
        self.head.share_copies(groups)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """A loss over the whole batch for each of ``epochs`` steps.

        There are fewer steps where too much of the batch has left the clip range.

        Args:
            rollout: whole episodes.
            policy: the team's individual policy.
            context: the ranks that learn together, and how losses are evaluated.
        """
        distinct = DistinctObservations(rollout)
        with torch.no_grad():
            layers = self._layers(distinct.observations)
            batch = self._prepare(distinct, layers, policy, context.ranks)
        # What frozen layers give need not be computed again in each epoch.
        learns = next(self.body.parameters()).requires_grad
        frozen = None if learns else layers
        losses = (
            context.loss_of(
                self._objective,
                distinct.observations,
                frozen,
                batch,
                policy,
                rollout.progress,
            )
            for _ in range(self.config.epochs)
        )
        least = self.config.min_inside_clip
        yield from while_inside_clip(losses, least, context.ranks)

    def _objective(
        self,
        observations: Observation,
        frozen: _Layers | None,
        batch: Batch,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of an epoch."""
        layers = self._layers(observations) if frozen is None else frozen
        log_policy = policy.log_policy(
            self.head(layers.hidden),
            observations.legal_actions(),
            progress,
        )
        policy_loss, inside = clipped_objective(
            actions_first(log_policy),
            batch.cells,
            self._clip,
        )
        error = self.critic(layers.encoded).flatten() - batch.value_targets
        value_loss = (batch.value_weights * error.square()).sum()
        return policy_loss + self.config.value_coefficient * value_loss, {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach() + batch.value_floor,
            "inside_clip": inside,
        }

    def _prepare(
        self,
        distinct: DistinctObservations,
        layers: _Layers,
        policy: IndividualPolicy,
        ranks: Ranks,
    ) -> Batch:
        """What all epochs of an update share."""
        rollout = distinct.rollout
        distinct_values = self.critic(layers.encoded).squeeze(-1)
        values = distinct.at_steps(distinct_values)
        advantages = self._advantages(distinct, distinct_values, values)
        acting = rollout.acting.to(advantages.dtype)
        statistics = AdvantageStatistics.over_ranks(advantages, acting, ranks)
        weights = acting / statistics.count
        legal = distinct.observations.legal_actions()
        old = policy.log_policy(
            self.head(layers.hidden),
            legal,
            rollout.progress,
        )
        known = Evaluated(
            distinct,
            advantages,
            statistics,
            weights,
            actions_first(old),
            policy.entropy_coefficient(rollout.progress),
        )
        if distinct.has_table:
            return table_batch(known, distinct_values.flatten())
        return sample_batch(known, values)

    def _advantages(
        self,
        distinct: DistinctObservations,
        distinct_values: Float[Tensor, "R N"],
        values: Float[Tensor, "T E N"],
    ) -> Float[Tensor, "T E N"]:
        rollout = distinct.rollout
        if distinct.has_table:
            last_values = distinct.at_ends(distinct_values)
        else:
            encoded = self._encode(rollout.last_observation)
            last_values = self.critic(encoded).squeeze(-1)
        return generalised_advantages(
            rollout.reward,
            values,
            last_values,
            rollout.terminated,
            rollout.valid,
            self.config.gamma,
            self.config.gae_lambda,
        )
