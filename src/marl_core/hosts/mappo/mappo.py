"""MAPPO and IPPO: PPO for teams, with a value that sees everything or each agent's own view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.bodies import RELU_GAIN, body, memory_before
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.mappo.critic import Critic
from marl_core.hosts.mappo.head import policy_head
from marl_core.hosts.mappo.judging import log_of_chosen, policy_loss
from marl_core.hosts.mappo.parts import Part, Parts
from marl_core.hosts.mappo.value_loss import value_error
from marl_core.hosts.mappo.value_scale import ValueScale
from marl_core.hosts.networks import Stack
from marl_core.hosts.parameter_sharing import groups_of
from marl_core.hosts.ppo.advantages import AdvantageStatistics
from marl_core.hosts.ppo.early_end import while_inside_clip
from marl_core.hosts.ppo.surrogate import ClipRange
from marl_core.learning import LearningContext, eagerly
from marl_core.observation_table import without_table
from marl_core.protocols import IndividualPolicy
from marl_core.returns import generalised_advantages, rewards_of_the_living
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)

#: Under which name the policy's memory is kept.
_HIDDEN = "hidden"


@final
class MAPPO(HostModule):
    """MAPPO and IPPO (Yu et al. 2022), with parameters shared by all agents, by groups, or by none.

    Actor and critic are networks of their own: an encoder, a body that may remember, a head. The
    clip has PPO-MA's second bound. A dead agent's reward is moved back to the last step in which it
    acted, discounted, and its value is 0 from then on.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Raises:
        UserError: the environment gives no features, or another number of agents than
            ``parameters`` has groups for.
    """

    Config = MAPPOConfig

    def __init__(
        self, config: MAPPOConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.features is None:
            raise UserError("mappo needs feature observations")
        self.config = config
        self._agents = spec.agents
        self._clip = ClipRange(config.clip, config.dual_clip)
        width = config.hidden
        sharing = groups_of(config.parameters, spec.agents)
        widths = [spec.features, *config.encoder_widths, width]
        self.encoder = Stack.build(
            widths,
            generator,
            relu=[True] * (len(widths) - 1),
            last_gain=RELU_GAIN,
            agents=spec.agents if config.identity else 0,
            sharing=sharing,
        )
        self.body = body(config.body, width, config.sequence, generator, sharing)
        self.head = policy_head(config, spec, generator, sharing)
        self.critic = Critic(config, spec, generator, sharing)
        self.scale = ValueScale(enabled=config.value_normalisation)

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def initial_memory(self, games: int) -> Memory:
        """Zeros, where the policy remembers.

        Args:
            games: E.
        """
        if self.config.body == "mlp":
            return {}
        weight = next(self.head.parameters())
        shape = (games, self._agents, self.config.hidden)
        return {_HIDDEN: weight.new_zeros(shape)}

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Logits, or means and spreads of numbers in a box; and what the policy remembers.

        Args:
            observation: with features, leading axes ``*B``.
            memory: of the policy; empty where it has none.
        """
        hidden = self.body.step(self._encoded(observation), memory.get(_HIDDEN))
        kept = {_HIDDEN: hidden} if memory else memory
        return self.head(hidden), kept

    def memory_before(self, rollout: Rollout, steps: Sequence[int]) -> Memory:
        """What the policy remembered before some steps, under its present weights.

        Args:
            rollout: whole episodes.
            steps: S of them.
        """
        if self.config.body == "mlp":
            return {}
        after = self.body.unroll(self._encoded(without_table(rollout).observations))
        return {_HIDDEN: memory_before(after, steps)}

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Policy and critic."""
        config = self.config
        policy = [
            *self.encoder.parameters(),
            *self.body.parameters(),
            *self.head.parameters(),
        ]
        critic_rate = config.learning_rate * config.critic_rate_factor
        return [
            ParameterGroup(
                policy,
                config.learning_rate,
                config.max_gradient_norm,
                config.learning_rate_schedule,
            ),
            ParameterGroup(
                list(self.critic.parameters()),
                critic_rate,
                config.max_gradient_norm,
                config.learning_rate_schedule,
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

        Raises:
            UserError: agents have not shared their networks from the beginning.
        """
        if not self.capabilities.head_groups:
            message = "agents with networks of their own cannot share heads"
            raise UserError(message, "host", "parameters")
        self.head.share_copies(groups)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """A loss for each minibatch of games in each of ``epochs`` epochs.

        There are fewer where too many samples have left the clip range.

        Args:
            rollout: whole episodes.
            policy: the team's individual policy.
            context: the ranks that learn together, and how losses are evaluated.
        """
        rollout = without_table(rollout)
        known = self._known(rollout, policy, context)
        parts = Parts(
            rollout.observations,
            known,
            self.config.minibatches,
            rollout.progress.updates,
            context.ranks,
        )
        if self.config.minibatches_of == "steps":
            parts = parts.of_single_steps()
        # A recurrent unit is a kernel already, and cannot be traced.
        compiles = self.config.body == "mlp"
        loss_of = context.loss_of if compiles else eagerly
        losses = (
            loss_of(self._objective, seen, part, policy, rollout.progress)
            for epoch in range(self.config.epochs)
            for seen, part in parts.of_epoch(epoch)
        )
        least = self.config.min_inside_clip
        yield from while_inside_clip(losses, least, context.ranks)

    def _encoded(self, observation: Observation) -> Tensor:
        assert observation.features is not None
        return self.encoder(observation.features)

    def _unrolled(self, observation: Observation) -> Float[Tensor, "T E N A"]:
        """The scores in whole episodes."""
        return self.head(self.body.unroll(self._encoded(observation)))

    def _objective(
        self,
        seen: Observation,
        part: Part,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a minibatch."""
        scores = self._unrolled(seen)
        loss, inside = policy_loss(scores, seen, part, policy, progress, self._clip)
        values = self.critic.values(seen)
        errors = value_error(
            values,
            part.returns,
            part.values,
            huber=self.config.huber,
            clip=self.config.value_clip,
        )
        value_loss = (part.weights * errors).sum()
        total = loss + self.config.value_coefficient * value_loss
        return total, {
            "policy_loss": loss.detach(),
            "value_loss": value_loss.detach(),
            "inside_clip": inside,
        }

    @torch.no_grad()
    def _known(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Part:
        """What all epochs of an update share."""
        acting = rollout.acting
        seen = rollout.observations
        chosen = log_of_chosen(
            self._unrolled(seen), seen, rollout.actions, policy, rollout.progress
        )
        said, last_said = self.critic.judge(rollout)
        values, last_values = self._worth(rollout, said, last_said)
        advantages = generalised_advantages(
            rewards_of_the_living(
                rollout.reward,
                None if seen.alive is None else acting,
                rollout.valid,
                self.config.gamma,
            ).to(values.dtype),
            values,
            last_values,
            rollout.terminated,
            rollout.valid,
            self.config.gamma,
            self.config.gae_lambda,
        )
        weights = acting.to(values.dtype)
        returns = advantages + values
        statistics = AdvantageStatistics.over_ranks(advantages, weights, context.ranks)
        self.scale.update(returns, weights, context.ranks)
        return Part(
            rollout.actions,
            weights,
            statistics.normalise(advantages),
            chosen,
            self.scale.normalised(returns),
            said,
        )

    def _worth(
        self,
        rollout: Rollout,
        said: Float[Tensor, "T E N"],
        last_said: Float[Tensor, "E N"],
    ) -> tuple[Float[Tensor, "T E N"], Float[Tensor, "E N"]]:
        """What that is in the scale of returns; the dead are worth 0."""
        values = torch.where(rollout.acting, self.scale.restored(said), 0.0)
        last_values = self.scale.restored(last_said)
        alive = rollout.last_observation.alive
        if alive is not None:
            last_values = torch.where(alive, last_values, 0.0)
        return values, last_values
