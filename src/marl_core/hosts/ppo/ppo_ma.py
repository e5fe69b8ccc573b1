"""PPO-MA: dual-clip PPO with parameters shared by all agents (Table 3; like MAPPO, Yu et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.networks import Stack
from marl_core.hosts.ppo.advantages import Standard, standard_of
from marl_core.hosts.ppo.config import PPOConfig
from marl_core.hosts.ppo.surrogate import (
    ClipRange,
    SurrogateCells,
    actions_first,
    clipped_objective,
)
from marl_core.learning import LearningContext, Ranks
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


class PPOMAConfig(PPOConfig):
    """Table 3, and the settings of the authors' public experiments where the paper is silent."""

    name: str = "ppo_ma"
    hidden: int = Field(default=8, gt=0, description="Width of every hidden layer.")
    identity_in_head: bool = Field(
        default=True,
        description="The policy head sees the agent's one-hot identity again.",
    )

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(scores="logits", own_heads=True)


@dataclass(frozen=True)
class _Batch:
    """What all passes of an update share. ``value_weights`` and ``value_targets`` have an entry for each row."""

    cells: SurrogateCells
    value_weights: Float[Tensor, "rows"]
    value_targets: Float[Tensor, "rows"]
    value_floor: Float[
        Tensor, ""
    ]  # the part of the squared error that no value function can avoid on the table


@final
class PPOMA(HostModule):
    """PPO-MA: dual-clip PPO with parameters shared by all agents.

    Actor: observation encoder, body, then a small head. Critic: a head of its own on the same encoder. As in the
    authors' program, policy and value both train the encoder; with one for each, agents tell each other apart less well
    (docs/results/fme.md). The team reward is given to every agent, advantages are normalised over all ranks' batch.
    """

    Config = PPOMAConfig

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def __init__(
        self, config: PPOMAConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.features is None:
            raise UserError("ppo_ma needs feature observations")
        width, self.config, self._agents = config.hidden, config, spec.agents
        self.encoder = Stack.build(
            [spec.features, width, width], generator, relu=(True, False)
        )
        self.body = Stack.build([width] * 4, generator, relu=(True, True, False))
        self.head = Stack.build(
            [width, width, spec.actions],
            generator,
            relu=(True, False),
            last_gain=0.01,
            agents=spec.agents if config.identity_in_head else 0,
        )
        self.critic = Stack.build([width, width, 1], generator, relu=(True, False))
        self._clip = ClipRange(config.clip, config.dual_clip)

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Logits."""
        return self.head(self.body(self._encode(observation))), memory

    def _encode(self, observation: Observation) -> Tensor:
        assert observation.features is not None
        return self.encoder(observation.features)

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Policy, the encoder included, and critic."""
        policy = [
            *self.encoder.parameters(),
            *self.body.parameters(),
            *self.head.parameters(),
        ]
        rate = self.config.learning_rate
        return [
            ParameterGroup(policy, rate, self.config.max_gradient_norm),
            ParameterGroup(
                list(self.critic.parameters()), rate * self.config.critic_rate_factor
            ),
        ]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change: encoder and body frozen, a head for each agent."""
        self.encoder.requires_grad_(False)
        self.body.requires_grad_(False)
        self.head.copy_for_each_agent(self._agents)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """``passes`` steps over the whole batch, fewer where too much of it has left the clip range."""
        rows = rollout.rows()
        with torch.no_grad():
            encoded = self._encode(rows)
            hidden = self.body(encoded)
            batch = self._prepare(rollout, encoded, hidden, policy, context.ranks)
        # What frozen layers give, no pass has to run again.
        frozen = (
            None if next(self.body.parameters()).requires_grad else (encoded, hidden)
        )
        for _ in range(self.config.passes):
            loss = context.loss_of(
                self._objective, rows, frozen, batch, policy, rollout.progress
            )
            inside = context.ranks.mean(torch.as_tensor(loss.metrics["inside_clip"]))
            yield loss
            if inside < self.config.least_inside:
                return

    def _objective(
        self,
        rows: Observation,
        frozen: tuple[Tensor, Tensor] | None,
        batch: _Batch,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a pass."""
        if frozen is None:
            encoded = self._encode(rows)
            hidden = self.body(encoded)
        else:
            encoded, hidden = frozen
        log_policy = policy.log_policy(
            self.head(hidden), rows.legal_actions(), progress
        )
        policy_loss, inside = clipped_objective(
            actions_first(log_policy), batch.cells, self._clip
        )
        error = self.critic(encoded).flatten() - batch.value_targets
        value_loss = (batch.value_weights * error.square()).sum()
        return policy_loss + self.config.value_coefficient * value_loss, {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach() + batch.value_floor,
            "inside_clip": inside,
        }

    def _prepare(
        self,
        rollout: Rollout,
        encoded: Tensor,
        hidden: Tensor,
        policy: IndividualPolicy,
        ranks: Ranks,
    ) -> _Batch:
        rows = rollout.rows()
        values_of_rows = self.critic(encoded).squeeze(-1)
        values = rollout.spread(values_of_rows)
        if rollout.table is None:
            last_values = self.critic(self._encode(rollout.last_observation)).squeeze(
                -1
            )
        else:
            last_values = rollout.spread_last(values_of_rows)
        advantages = generalised_advantages(
            rollout.reward,
            values,
            last_values,
            rollout.terminated,
            rollout.valid,
            self.config.gamma,
            self.config.gae_lambda,
        )
        acting = rollout.acting.to(advantages.dtype)
        standard = standard_of(advantages, acting, ranks)
        weights = acting / standard.count
        old = actions_first(
            policy.log_policy(self.head(hidden), rows.legal_actions(), rollout.progress)
        )
        coefficient = policy.entropy_coefficient(rollout.progress)
        if rollout.table is None:
            return _sample_batch(
                rollout, advantages, standard, weights, values, old, coefficient
            )
        return _table_batch(
            rollout,
            advantages,
            standard,
            weights,
            values_of_rows.flatten(),
            old,
            coefficient,
        )


def _sample_batch(
    rollout: Rollout,
    advantages: Tensor,
    standard: Standard,
    weights: Tensor,
    values: Tensor,
    old: Tensor,
    coefficient: float,
) -> _Batch:
    """A cell and a row for every sample."""
    chosen, weight = rollout.actions.view(1, -1), weights.flatten()
    cells = SurrogateCells.of_samples(
        standard.of(advantages).flatten(),
        weight,
        old.gather(0, chosen).squeeze(0),
        coefficient * weight,
        chosen,
    )
    return _Batch(cells, weight, (advantages + values).flatten(), weight.new_zeros(()))


def _table_batch(
    rollout: Rollout,
    advantages: Tensor,
    standard: Standard,
    weights: Tensor,
    values_of_rows: Tensor,
    old: Tensor,
    coefficient: float,
) -> _Batch:
    """A row for every distinct observation and a cell for every action in it, from sums over the samples there."""
    situation = rollout.observations.situation
    assert situation is not None
    agents, (actions, rows) = situation.shape[-1], old.shape
    # In place: the index is the largest tensor of an update, and fresh memory costs more than the arithmetic.
    cell = situation * agents
    cell.add_(torch.arange(agents, device=cell.device)).add_(
        rollout.actions, alpha=rows
    )
    cell.add_(advantages < standard.mean, alpha=actions * rows)
    cell = cell.flatten()
    empty = advantages.new_zeros(2 * actions * rows)
    weighted = advantages * weights
    sums = empty.scatter_add(0, cell, weighted.flatten()).view(2, -1)
    shares = empty.scatter_add(0, cell, weights.flatten()).view(2, -1)
    share_of_row = shares.view(-1, rows).sum(0)
    sum_of_row = sums.view(-1, rows).sum(0)
    # The mean return of a row is what its value was, plus its mean advantage over that.
    mean_of_row = sum_of_row / share_of_row.clamp(min=1e-12)
    floor = (weighted * advantages).sum() - torch.dot(sum_of_row, mean_of_row)
    normalised = (sums - standard.mean * shares) * standard.scale
    cells = SurrogateCells(
        normalised, shares, old.flatten(), coefficient * share_of_row, None
    )
    return _Batch(cells, share_of_row, values_of_rows + mean_of_row, floor)
