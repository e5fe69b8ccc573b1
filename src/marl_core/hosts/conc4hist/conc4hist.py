"""Conc4Hist: PPO on a concentration network with a memory of entities seen (Fu et al. 2022; Table 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.conc4hist.concentration import ConcentrationNetwork, Surroundings
from marl_core.hosts.conc4hist.history import remember
from marl_core.hosts.conc4hist.microbatches import ActingSamples, sum_of_losses
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.networks import Stack
from marl_core.hosts.ppo.advantages import AdvantageStatistics, rewards_of_the_living
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
    TensorBatch,
)


class Conc4HistConfig(PPOConfig):
    """Table 3, and the settings of the authors' public experiments where the paper is silent."""

    name: str = "conc4hist"
    hidden: int = Field(default=48, gt=1, description="Width of the hidden layers.")
    focus: int = Field(
        default=3,
        ge=2,
        description="d_c: so many remembered entities reach the policy, and one less of those seen.",
    )
    reward_forwarding: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="What the dead earn goes to their last step alive, by this for each step.",
    )
    minibatches: int = Field(
        default=1,
        gt=0,
        description="Parts of the batch; each makes a step in every pass. Table 3 has whole batches.",
    )
    microbatch: int = Field(
        default=16384,
        gt=0,
        description="Samples that are in memory at a time in learning; changes no result.",
    )

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="logits",
            needs=frozenset({"entities"}),
            memory=True,
            own_heads=True,
        )


@dataclass(frozen=True)
class _Samples(TensorBatch):
    """What all passes of an update share, in the rows of ``ActingSamples``. Weights are 0 where nothing is real."""

    action: Int[Tensor, "R N"]
    weight: Float[Tensor, "R N"]
    advantage: Float[Tensor, "R N"]
    value_target: Float[Tensor, "R N"]
    old_log_policy: Float[Tensor, "R N"]
    legal: Bool[Tensor, "R N A"] | None
    trunk: (
        Float[Tensor, "R N W"] | None
    )  # the policy head's input where what gives it is frozen


@dataclass(frozen=True)
class _Before:
    """What the networks say of the samples before the first pass."""

    value: Float[Tensor, "R N"]
    log_policy: Float[Tensor, "R N"]
    trunk: Float[Tensor, "R N W"] | None


@final
class Conc4Hist(HostModule):
    """Conc4Hist: an agent attends to the entities it sees and to those it remembers; its policy gets the foremost few.

    Entity 0 of an observation must be the agent itself. The memory is a queue of sightings (``sightings.remember``).
    Everybody shares one network; the policy trains encoder and policy head, the value trains attention, value head and,
    by a gradient that is not held back, the encoder too. The authors' threat head, a side task, is left out.
    """

    Config = Conc4HistConfig

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def __init__(
        self, config: Conc4HistConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.entities is None:
            raise UserError("conc4hist needs entity observations")
        entities, features = spec.entities
        if entities < config.focus:
            message = f"agents see {entities} entities, themselves included: of so few {config.focus} cannot be chosen"
            raise UserError(message, "host", "focus")
        width, self.config, self._agents, self._entities = (
            config.hidden,
            config,
            spec.agents,
            spec.entities,
        )
        self.norm = RunningNorm(features)
        self.network = ConcentrationNetwork(features, width, config.focus, generator)
        self.trunk = Stack.build(
            [2 * width, width], generator, relu=(True,), last_gain=math.sqrt(2)
        )
        self.head = Stack.build(
            [width, width // 2, spec.actions],
            generator,
            relu=(True, False),
            last_gain=0.01,
        )
        self.critic = Stack.build([2 * width, width, 1], generator, relu=(True, False))
        self._clip, self._own_heads = ClipRange(config.clip, config.dual_clip), False

    # Acting

    def initial_memory(self, games: int) -> Memory:
        """Nobody has seen anybody."""
        entities, features = self._entities
        past = self.norm.count.new_zeros(
            (games, self._agents, entities, features), dtype=torch.float32
        )
        return {
            "past": past,
            "past_mask": past.new_zeros(past.shape[:-1], dtype=torch.bool),
        }

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Logits; and the memory with what is seen now."""
        around = Surroundings.of(observation, memory)
        concentrated, _ = self.network(self._normalised(around), value=False)
        others, others_mask = around.now[..., 1:, :], around.now_mask[..., 1:]
        past, past_mask = remember(
            memory["past"], memory["past_mask"], others, others_mask
        )
        return self.head(self.trunk(concentrated)), {
            "past": past,
            "past_mask": past_mask,
        }

    def _normalised(self, around: Surroundings) -> Surroundings:
        dtype = (
            self.network.now.query.dtype
        )  # precision 64-true: environments know nothing of it
        return Surroundings(
            self.norm(around.now, around.now_mask).to(dtype),
            around.now_mask,
            self.norm(around.past, around.past_mask).to(dtype),
            around.past_mask,
        )

    # Learning

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Policy, the encoder included, and critic, the attention included."""
        policy = [
            *self.network.actor_parameters(),
            *self.trunk.parameters(),
            *self.head.parameters(),
        ]
        critic = [*self.network.critic_parameters(), *self.critic.parameters()]
        rate = self.config.learning_rate
        return [
            ParameterGroup(policy, rate, self.config.max_gradient_norm),
            ParameterGroup(critic, rate * self.config.critic_rate_factor),
        ]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change: all of the policy but its last two layers frozen, those copied for each agent.

        Attention and value head go on learning; so do the statistics of the normalisation, as in the authors' program.
        """
        for parameter in (*self.network.actor_parameters(), *self.trunk.parameters()):
            parameter.requires_grad_(False)
        self.head.copy_for_each_agent(self._agents)
        self._own_heads = True

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """``passes`` over the samples of living agents, fewer where too many have left the clip range.

        With ``minibatches``, each pass makes as many steps: every one of them on its own share of the samples, of all
        games and times, and as long as if these were all there are.
        """
        places, hands = ActingSamples.of(
            rollout.acting, by_agent=self._own_heads
        ).dealt(self.config.minibatches)
        around = self._seen(rollout, places, context.ranks)
        samples = self._prepare(rollout, places, around, policy, context.ranks)
        minibatches = [places.portions(self.config.microbatch, hand) for hand in hands]
        parameters = [
            p
            for group in self.parameter_groups()
            for p in group.parameters
            if p.requires_grad
        ]
        for portions in minibatches * self.config.epochs:
            loss = sum_of_losses(
                self._parts(portions, around, samples, policy, rollout.progress),
                parameters,
            )
            inside = context.ranks.mean(torch.as_tensor(loss.metrics["inside_clip"]))
            yield loss
            if inside < self.config.min_inside_clip:
                return

    @torch.no_grad()
    def _seen(
        self, rollout: Rollout, places: ActingSamples, ranks: Ranks
    ) -> Surroundings:
        """What the samples' agents saw and remembered, normalised by statistics that are brought up to date by it.

        Gathered once for all passes: as large as in the rollout, and otherwise a tenth of each pass.
        """
        assert rollout.memory is not None
        around = Surroundings.of(rollout.observations, rollout.memory).map(places.take)
        dtype = self.network.now.query.dtype
        around = replace(around, now=around.now.to(dtype), past=around.past.to(dtype))
        portions = [
            around.map(itemgetter(rows))
            for rows in places.portions(self.config.microbatch)
        ]
        moments: Tensor | int = 0
        for rows, part in zip(
            places.portions(self.config.microbatch), portions, strict=True
        ):
            real = places.real[rows].unsqueeze(-1)
            moments = moments + self.norm.moments(part.now, part.now_mask & real)
            moments = moments + self.norm.moments(part.past, part.past_mask & real)
        assert isinstance(moments, Tensor)
        self.norm.update(moments, ranks)
        for part in portions:  # views
            part.now.copy_(self.norm(part.now, part.now_mask))
            part.past.copy_(self.norm(part.past, part.past_mask))
        return around

    def _parts(
        self,
        portions: Sequence[slice],
        around: Surroundings,
        samples: _Samples,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> Iterator[Loss]:
        coefficient = policy.entropy_coefficient(progress)
        for rows in portions:
            own = itemgetter(rows)
            yield Loss(
                *self._objective(
                    around.map(own),
                    samples.map(own),
                    coefficient,
                    policy,
                    progress,
                )
            )

    def _objective(
        self,
        around: Surroundings,
        samples: _Samples,
        coefficient: float,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A portion's part of a pass's loss."""
        concentrated, motive = self.network(around, policy=samples.trunk is None)
        trunk = self.trunk(concentrated) if samples.trunk is None else samples.trunk
        log_policy = actions_first(
            policy.log_policy(self.head(trunk), samples.legal, progress)
        )
        weight = samples.weight.flatten()
        cells = SurrogateCells.of_samples(
            samples.advantage.flatten(),
            weight,
            samples.old_log_policy.flatten(),
            coefficient * weight,
            samples.action.view(1, -1),
        )
        policy_loss, inside = clipped_objective(log_policy, cells, self._clip)
        error = self.critic(motive).squeeze(-1) - samples.value_target
        value_loss = (samples.weight * error.square()).sum()
        return policy_loss + self.config.value_coefficient * value_loss, {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "inside_clip": inside,
        }

    @torch.no_grad()
    def _prepare(
        self,
        rollout: Rollout,
        places: ActingSamples,
        around: Surroundings,
        policy: IndividualPolicy,
        ranks: Ranks,
    ) -> _Samples:
        legal, action = (
            _legal_actions(rollout.observations, places),
            places.take(rollout.actions),
        )
        portions = places.portions(self.config.microbatch)
        before = self._before(portions, around, action, legal, policy, rollout.progress)
        # The dead are worth 0: their game has ended for them.
        values = places.put(before.value, rollout.actions.shape)
        acting = rollout.acting
        reward = rewards_of_the_living(
            rollout.reward, acting, rollout.valid, self.config.reward_forwarding
        )
        advantages = generalised_advantages(
            reward.to(values.dtype),
            values,
            self._last_values(rollout),
            rollout.terminated,
            rollout.valid,
            self.config.gamma,
            self.config.gae_lambda,
        )
        statistics = AdvantageStatistics.over_ranks(
            advantages, acting.to(advantages.dtype), ranks
        )
        return _Samples(
            action=action,
            weight=places.real.to(values.dtype)
            * (self.config.minibatches / statistics.count),
            advantage=statistics.normalise(places.take(advantages)),
            value_target=places.take(advantages + values),
            old_log_policy=before.log_policy,
            legal=legal,
            trunk=before.trunk,
        )

    def _before(
        self,
        portions: Sequence[slice],
        around: Surroundings,
        action: Int[Tensor, "R N"],
        legal: Bool[Tensor, "R N A"] | None,
        policy: IndividualPolicy,
        progress: Progress,
    ) -> _Before:
        """Values, and the logarithm of the probability of what was done."""
        frozen = not next(self.trunk.parameters()).requires_grad
        values, log_policies, trunks = [], [], []
        for rows in portions:
            concentrated, motive = self.network(around.map(itemgetter(rows)))
            trunk = self.trunk(concentrated)
            log_policy = policy.log_policy(
                self.head(trunk), None if legal is None else legal[rows], progress
            )
            values.append(self.critic(motive).squeeze(-1))
            log_policies.append(
                log_policy.gather(-1, action[rows].unsqueeze(-1)).squeeze(-1)
            )
            if frozen:  # what it gives, no pass has to run again
                trunks.append(trunk)
        return _Before(
            torch.cat(values),
            torch.cat(log_policies),
            torch.cat(trunks) if frozen else None,
        )

    def _last_values(self, rollout: Rollout) -> Float[Tensor, "E N"]:
        """Values of what is seen after each game's last step."""
        assert rollout.last_memory is not None
        around = Surroundings.of(rollout.last_observation, rollout.last_memory)
        _, motive = self.network(self._normalised(around), policy=False)
        alive = rollout.last_observation.alive
        values = self.critic(motive).squeeze(-1)
        return values if alive is None else torch.where(alive, values, 0.0)


def _legal_actions(
    observation: Observation, places: ActingSamples
) -> Bool[Tensor, "R N A"] | None:
    """Which actions of the samples are legal; who acts is alive."""
    if observation.action_mask is None:
        return None
    return Observation(action_mask=places.take(observation.action_mask)).legal_actions()
