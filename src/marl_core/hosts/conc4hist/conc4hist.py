"""Conc4Hist: PPO on a concentration network with a memory of entities (Fu et al. 2022; Table 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from marl_core.hosts.conc4hist.acting import ConcentrationTeam
from marl_core.hosts.conc4hist.acting_samples import ActingSamples
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.hosts.conc4hist.microbatches import sum_of_losses
from marl_core.hosts.conc4hist.played import Played, normalised_surroundings
from marl_core.hosts.conc4hist.samples import (
    Evaluated,
    PolicyNow,
    Samples,
    legal_actions,
)
from marl_core.hosts.conc4hist.surroundings import Surroundings
from marl_core.hosts.ppo.advantages import AdvantageStatistics
from marl_core.hosts.ppo.early_end import while_inside_clip
from marl_core.hosts.ppo.surrogate import (
    ClipRange,
    SurrogateCells,
    actions_first,
    clipped_objective,
)
from marl_core.learning import LearningContext, Ranks
from marl_core.protocols import IndividualPolicy
from marl_core.returns import generalised_advantages, rewards_of_the_living
from marl_core.types import EnvironmentSpec, Loss, Memory, Rollout


@final
class Conc4Hist(ConcentrationTeam):
    """Conc4Hist: agents attend to the entities that they see and to those that they remember.

    It learns by dual-clip PPO on the samples of living agents. The policy trains encoder and policy
    head; the value trains attention, value head and, by a gradient that is not held back, the
    encoder too. The authors' threat head, a side task, is left out.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Raises:
        UserError: the environment gives no entities, or too few.
    """

    Config = Conc4HistConfig

    def __init__(
        self, config: Conc4HistConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, generator)
        self._clip = ClipRange(config.clip, config.dual_clip)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """A loss for each minibatch in each of ``epochs`` epochs over the samples of living agents.

        Each minibatch is scaled as if it were the whole batch. There are fewer steps where too many
        samples have left the clip range.

        Args:
            rollout: whole episodes.
            policy: the team's individual policy.
            context: the ranks that learn together.
        """
        config = self.config
        now = PolicyNow(policy, rollout.progress)
        acting = ActingSamples.of(rollout.acting, by_agent=self.own_heads)
        places, minibatches = acting.split(config.minibatches)
        played = Played.of(rollout)
        around, played = normalised_surroundings(
            played,
            places,
            self.norm,
            self.dtype,
            context.ranks,
        )
        samples = self._prepare(
            rollout,
            played,
            places,
            around,
            now,
            context.ranks,
        )
        most = config.most_at_once(on_cpu=around.rows.is_cpu)
        parts = [places.microbatches(most, rows) for rows in minibatches]
        parameters = self._learnt_parameters()
        losses = (
            sum_of_losses(
                self._microbatch_losses(microbatches, around, samples, now),
                parameters,
            )
            for microbatches in parts * config.epochs
        )
        yield from while_inside_clip(losses, config.min_inside_clip, context.ranks)

    def memory_before(self, rollout: Rollout, steps: Sequence[int]) -> Memory:
        """The host's memory before some steps.

        Args:
            rollout: whole episodes.
            steps: S of them.

        Returns:
            Tensors with leading axes S E.
        """
        return Played.of(rollout).memory_before(steps)

    def _learnt_parameters(self) -> list[nn.Parameter]:
        learnt = []
        for group in self.parameter_groups():
            learnt += [p for p in group.parameters if p.requires_grad]
        return learnt

    def _microbatch_losses(
        self,
        microbatches: Sequence[slice],
        around: Surroundings,
        samples: Samples,
        now: PolicyNow,
    ) -> Iterator[Loss]:
        """Each microbatch's part of a minibatch's loss."""
        for rows in microbatches:
            yield self._objective(
                around.of_samples(rows),
                samples.map(itemgetter(rows)),
                now,
            )

    def _objective(
        self, around: Surroundings, samples: Samples, now: PolicyNow
    ) -> Loss:
        """The loss of some samples."""
        concentrated, motive = self.network(around, policy=samples.trunk is None)
        trunk = self.trunk(concentrated) if samples.trunk is None else samples.trunk
        log_policy = actions_first(now.log_policy(self.head(trunk), samples.legal))
        weight = samples.weight.flatten()
        cells = SurrogateCells.of_samples(
            samples.advantage.flatten(),
            weight,
            samples.old_log_policy.flatten(),
            now.entropy_coefficient * weight,
            samples.action.view(1, -1),
        )
        policy_loss, inside = clipped_objective(log_policy, cells, self._clip)
        error = self.critic(motive).squeeze(-1) - samples.value_target
        value_loss = (samples.weight * error.square()).sum()
        total = policy_loss + self.config.value_coefficient * value_loss
        metrics = {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "inside_clip": inside,
        }
        return Loss(total, metrics)

    @torch.no_grad()
    def _prepare(
        self,
        rollout: Rollout,
        played: Played,
        places: ActingSamples,
        around: Surroundings,
        now: PolicyNow,
        ranks: Ranks,
    ) -> Samples:
        """What all epochs of an update share."""
        action = places.take(rollout.actions)
        legal = legal_actions(rollout, places)
        most = self.config.most_at_once(on_cpu=around.rows.is_cpu)
        microbatches = places.microbatches(most)
        before = self._evaluate(microbatches, around, action, legal, now)
        # The dead are worth 0: their game has ended for them.
        values = places.put(before.value, rollout.actions.shape)
        advantages = self._advantages(rollout, played, values)
        acting = rollout.acting.to(advantages.dtype)
        statistics = AdvantageStatistics.over_ranks(advantages, acting, ranks)
        share = self.config.minibatches / statistics.count
        return Samples(
            action=action,
            weight=places.valid.to(values.dtype) * share,
            advantage=statistics.normalise(places.take(advantages)),
            value_target=places.take(advantages + values),
            old_log_policy=before.log_policy,
            legal=legal,
            trunk=before.trunk,
        )

    def _evaluate(
        self,
        microbatches: Sequence[slice],
        around: Surroundings,
        action: Int[Tensor, "R N"],
        legal: Bool[Tensor, "R N A"] | None,
        now: PolicyNow,
    ) -> Evaluated:
        """What the networks say of the samples before the first epoch."""
        frozen = not next(self.trunk.parameters()).requires_grad
        parts = []
        for rows in microbatches:
            concentrated, motive = self.network(around.of_samples(rows))
            trunk = self.trunk(concentrated)
            own_legal = None if legal is None else legal[rows]
            log_policy = now.log_policy(self.head(trunk), own_legal)
            value = self.critic(motive).squeeze(-1)
            chosen = action[rows].unsqueeze(-1)
            log_chosen = log_policy.gather(-1, chosen).squeeze(-1)
            # What a frozen trunk gives need not be computed again in each epoch.
            parts.append(Evaluated(value, log_chosen, trunk if frozen else None))
        return Evaluated.concatenate(parts)

    def _advantages(
        self,
        rollout: Rollout,
        played: Played,
        values: Float[Tensor, "T E N"],
    ) -> Float[Tensor, "T E N"]:
        reward = rewards_of_the_living(
            rollout.reward,
            rollout.acting,
            rollout.valid,
            self.config.reward_forwarding,
        )
        return generalised_advantages(
            reward.to(values.dtype),
            values,
            self._last_values(rollout, played),
            rollout.terminated,
            rollout.valid,
            self.config.gamma,
            self.config.gae_lambda,
        )

    def _last_values(self, rollout: Rollout, played: Played) -> Float[Tensor, "E N"]:
        """Values of what is seen after each game's last step; the dead are worth 0."""
        _, motive = self.network(played.at_ends(), policy=False)
        alive = rollout.last_observation.alive
        values = self.critic(motive).squeeze(-1)
        return values if alive is None else torch.where(alive, values, 0.0)
