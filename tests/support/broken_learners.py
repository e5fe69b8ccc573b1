"""An actor with a critic and a memory, which keeps every rule; mutants that each learn wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext, Ranks, SingleRank
from marl_core.protocols import IndividualPolicy
from marl_core.types import EnvironmentSpec, Loss, Memory, Observation, Rollout
from tests.support.broken_hosts import Sound, entropy_of

GAMMA = 0.9


class Learner(Sound):
    """Advantage actor-critic by one-step differences; each mutant changes one thing."""

    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, generator)
        shape = (2 * self.shape[1], 1)
        self.critic = nn.Parameter(0.3 * torch.randn(shape, generator=generator))

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        ranks = self.ranks(context)
        for _ in range(2):
            yield Loss(self.total(rollout, policy, ranks))

    def total(self, rollout: Rollout, policy: IndividualPolicy, ranks: Ranks) -> Tensor:
        joined = _joined(rollout.observations, self.memory(rollout))
        log_policy = policy.log_policy(
            self.evaluate(joined), self.legal(rollout), rollout.progress
        )
        chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
        value = self.value(joined)
        target = self.targets(rollout, value.detach())
        samples = ranks.mean(self.counts(rollout).sum().float())
        advantage = self.normalised(target - value.detach(), rollout, ranks)
        bonus = policy.entropy_coefficient(rollout.progress) * entropy_of(log_policy)
        terms = (
            -chosen * advantage * self.acts(rollout)
            - self.bonus(bonus) * self.explores(rollout)
            + (value - target).square() * self.is_valued(rollout)
        )
        return self.sign() * terms.sum() / samples

    def ranks(self, context: LearningContext) -> Ranks:
        return context.ranks

    def memory(self, rollout: Rollout) -> Memory:
        assert rollout.memory is not None
        return rollout.memory

    def legal(self, rollout: Rollout) -> Tensor | None:
        return rollout.observations.legal_actions()

    def value(self, joined: Tensor) -> Tensor:
        return (joined @ self.critic).squeeze(-1)

    def targets(self, rollout: Rollout, value: Tensor) -> Tensor:
        assert rollout.last_memory is not None
        last = self.value(_joined(rollout.last_observation, rollout.last_memory))
        following = torch.cat([value[1:], last.detach().unsqueeze(0)])
        is_last = (rollout.ended & rollout.valid).unsqueeze(-1)
        following = torch.where(is_last, last.detach(), following)
        return self.rewards(rollout) + GAMMA * self.goes_on(rollout) * following

    def rewards(self, rollout: Rollout) -> Tensor:
        return rollout.reward

    def goes_on(self, rollout: Rollout) -> Tensor:
        return (~rollout.terminated).unsqueeze(-1).float()

    def normalised(self, advantage: Tensor, rollout: Rollout, ranks: Ranks) -> Tensor:
        counts = self.is_measured(rollout)
        samples = ranks.mean(counts.sum().float())
        mean = ranks.mean((advantage * counts).sum()) / samples
        square = ranks.mean(((advantage - mean).square() * counts).sum()) / samples
        return (advantage - mean) / (square.sqrt() + 1e-5)

    def counts(self, rollout: Rollout) -> Tensor:
        return rollout.acting

    def acts(self, rollout: Rollout) -> Tensor:
        return rollout.acting

    def explores(self, rollout: Rollout) -> Tensor:
        return rollout.acting

    def is_valued(self, rollout: Rollout) -> Tensor:
        return rollout.acting

    def is_measured(self, rollout: Rollout) -> Tensor:
        return rollout.acting

    def bonus(self, bonus: Tensor) -> Tensor:
        return bonus

    def sign(self) -> float:
        return 1.0


def _joined(seen: Observation, memory: Memory) -> Tensor:
    assert seen.features is not None
    return torch.cat([seen.features, memory["mean"]], -1)


def _everything(rollout: Rollout) -> Tensor:
    return torch.ones_like(rollout.acting)


def _of_dead_and_living(rollout: Rollout) -> Tensor:
    return rollout.valid.unsqueeze(-1).expand_as(rollout.acting)


# Padding: what stands after a game's end


class ActsInThePadding(Learner):
    def acts(self, rollout: Rollout) -> Tensor:
        return _everything(rollout)


class ExploresInThePadding(Learner):
    """A mean entropy over all entries."""

    def explores(self, rollout: Rollout) -> Tensor:
        return _everything(rollout)


class ValuesThePadding(Learner):
    """A mean squared error over all entries."""

    def is_valued(self, rollout: Rollout) -> Tensor:
        return _everything(rollout)


class NormalisesOverThePadding(Learner):
    def is_measured(self, rollout: Rollout) -> Tensor:
        return _everything(rollout)


class ReturnsFromThePadding(Learner):
    """Sums rewards to go without asking which are of the game."""

    def rewards(self, rollout: Rollout) -> Tensor:
        return rollout.reward.flip(0).cumsum(0).flip(0)


# The dead


class ActsWhenDead(Learner):
    def acts(self, rollout: Rollout) -> Tensor:
        return _of_dead_and_living(rollout)


class ExploresWhenDead(Learner):
    def explores(self, rollout: Rollout) -> Tensor:
        return _of_dead_and_living(rollout)


class ValuesTheDead(Learner):
    def is_valued(self, rollout: Rollout) -> Tensor:
        return _of_dead_and_living(rollout)


class NormalisesOverTheDead(Learner):
    def is_measured(self, rollout: Rollout) -> Tensor:
        return _of_dead_and_living(rollout)


# Ends


class BootstrapsAfterTheEnd(Learner):
    def goes_on(self, rollout: Rollout) -> Tensor:
        return torch.ones_like(rollout.terminated).unsqueeze(-1).float()


class TakesTruncationForAnEnd(Learner):
    def goes_on(self, rollout: Rollout) -> Tensor:
        return (~rollout.ended).unsqueeze(-1).float()


class WritesIntoTheRollout(Learner):
    """Centres the rewards in place."""

    def rewards(self, rollout: Rollout) -> Tensor:
        return rollout.reward.sub_(rollout.reward[rollout.acting].mean())


# Memory and masks


class LearnsFromZero(Learner):
    """Every step is learnt as if it were the first."""

    def memory(self, rollout: Rollout) -> Memory:
        return {k: torch.zeros_like(v) for k, v in super().memory(rollout).items()}


class OneStepOff(Learner):
    """The memory after the step in place of the one before it."""

    def memory(self, rollout: Rollout) -> Memory:
        return {k: v.roll(-1, 0) for k, v in super().memory(rollout).items()}


class OverwritesItsMemory(Learner):
    """One tensor for all steps, which holds what the last has left."""

    def memory(self, rollout: Rollout) -> Memory:
        return {k: v[-1:].expand_as(v) for k, v in super().memory(rollout).items()}


class RemembersAnotherGame(Learner):
    def memory(self, rollout: Rollout) -> Memory:
        return {k: v.roll(1, 1) for k, v in super().memory(rollout).items()}


class LearnsWithoutMasks(Learner):
    def legal(self, rollout: Rollout) -> Tensor | None:
        return None


# State


class ForgetsItsScale(Learner):
    """A running scale of the rewards that is not saved."""

    scale = 1.0

    def rewards(self, rollout: Rollout) -> Tensor:
        self.scale = 0.9 * self.scale + 0.1 * float(rollout.reward.abs().mean())
        return rollout.reward / self.scale


# Ranks


class NormalisesOnItsOwn(Learner):
    def normalised(self, advantage: Tensor, rollout: Rollout, ranks: Ranks) -> Tensor:
        return super().normalised(advantage, rollout, SingleRank())


class CountsOnItsOwn(Learner):
    """A mean over the samples of its own rank, which are as many as happen to be."""

    def ranks(self, context: LearningContext) -> Ranks:
        return SingleRank()


class CountsInWholeNumbers(Learner):
    """Asks for the mean of an integer, which ``torch.distributed`` cannot divide."""

    def normalised(self, advantage: Tensor, rollout: Rollout, ranks: Ranks) -> Tensor:
        ranks.mean(rollout.acting.sum())
        return super().normalised(advantage, rollout, ranks)


class StopsOnItsOwn(Learner):
    """A rank whose games are short takes one step less."""

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        losses = super().losses(rollout, policy, context)
        yield next(losses)
        if rollout.valid.float().mean() > 0.93:
            yield from losses


# Directions


class AscendsTheLoss(Learner):
    def sign(self) -> float:
        return -1.0


class PunishesEntropy(Learner):
    def bonus(self, bonus: Tensor) -> Tensor:
        return -bonus


class IgnoresTheBonus(Learner):
    def bonus(self, bonus: Tensor) -> Tensor:
        return torch.zeros_like(bonus)


class DetachesTheBonus(Learner):
    """It is in the loss, and teaches nothing."""

    def bonus(self, bonus: Tensor) -> Tensor:
        return bonus.detach()


class MisreadsActions(Learner):
    """The actions of the agents in another order: rewards go to the wrong ones."""

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        other = replace(rollout, actions=(rollout.actions + 1) % self.heads.shape[-1])
        return super().losses(other, policy, context)


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[HostModule], str] = {
    ActsInThePadding: "padding_teaches_nothing",
    ExploresInThePadding: "padding_teaches_nothing",
    ValuesThePadding: "padding_teaches_nothing",
    NormalisesOverThePadding: "padding_teaches_nothing",
    ReturnsFromThePadding: "padding_teaches_nothing",
    ActsWhenDead: "the_dead_teach_nothing",
    ExploresWhenDead: "the_dead_teach_nothing",
    ValuesTheDead: "the_dead_teach_nothing",
    NormalisesOverTheDead: "the_dead_teach_nothing",
    BootstrapsAfterTheEnd: "nothing_comes_after_a_termination",
    TakesTruncationForAnEnd: "a_truncated_game_has_a_future",
    WritesIntoTheRollout: "rollouts_are_only_read",
    LearnsFromZero: "learning_sees_the_policy_of_play",
    OneStepOff: "learning_sees_the_policy_of_play",
    OverwritesItsMemory: "learning_sees_the_policy_of_play",
    RemembersAnotherGame: "learning_sees_the_policy_of_play",
    LearnsWithoutMasks: "learning_sees_the_policy_of_play",
    ForgetsItsScale: "learning_goes_on_from_a_saved_state",
    NormalisesOnItsOwn: "ranks_learn_as_one",
    CountsOnItsOwn: "ranks_learn_as_one",
    CountsInWholeNumbers: "ranks_learn_as_one",
    StopsOnItsOwn: "ranks_learn_as_one",
    AscendsTheLoss: "what_is_rewarded_grows_likelier",
    MisreadsActions: "what_is_rewarded_grows_likelier",
    PunishesEntropy: "the_bonus_raises_the_entropy",
    IgnoresTheBonus: "the_bonus_raises_the_entropy",
    DetachesTheBonus: "the_bonus_raises_the_entropy",
}
