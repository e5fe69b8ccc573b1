"""Couplings that each break one promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.joint_policy import JointLaw, JointPolicy, JointSampler, certain
from marl_core.learning import LearningContext
from marl_core.sequential_policy import SequentialPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Moment,
    ParameterGroup,
    Progress,
    Rollout,
)
from marl_pr.resonance import coin_weights, resonant_components
from tests.support import wide_laws


class Sound:
    """Resonance, with an eta so small that Eq. 18 never clamps; each mutant changes one thing."""

    ETA = 0.05

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.calls = 0

    @property
    def component_names(self) -> tuple[str, ...]:
        return "apart", "together"

    @property
    def holds(self) -> Holds:
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds()

    def eta(self, progress: Progress) -> Tensor:
        return torch.tensor(self.ETA * min(1.0, progress.stage_episodes / 1000))

    def weights(self, moment: Moment) -> Tensor:
        return coin_weights(self.eta(moment.progress).to(moment.device))

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        return resonant(policies, weights)


def resonant(policies: Tensor, weights: Tensor) -> JointPolicy:
    components = resonant_components(policies, weights[1], p_min=0.0, validate=False)
    return JointPolicy(policies, components, weights)


# Its members


class HasNoLaw(Sound):
    law: Any = None


class OneNameForTwo(Sound):
    @property
    def component_names(self) -> tuple[str, ...]:
        return ("together",)


class EqualNames(Sound):
    @property
    def component_names(self) -> tuple[str, ...]:
        return "team", "team"


class HoldsForAGame(Sound):
    @property
    def holds(self) -> Any:
        return "game"


class OtherCount(Sound):
    """Asks the host for scores of three components, and has two."""

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds(component_scores=3)


class HidesThatWeightsDiffer(wide_laws.Watchful):
    """Weights of each game, but it does not say that it needs the whole game."""

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds()


class HidesThatItLooks(Sound):
    """The same weights for all games, by what the first of them sees."""

    def weights(self, moment: Moment) -> Tensor:
        if moment.observation is None:
            return super().weights(moment)
        seen = moment.observation.state
        assert seen is not None
        return coin_weights(0.04 * seen[0, 0].sigmoid())


# Its law


class GreedyIgnoresMasks(Sound):
    """Together, everybody takes the action that the first agent likes best."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        leader = law.components[1][..., :1, :].expand_as(policies)
        return replace(law, components=torch.stack([law.components[0], leader]))


class ExploresByTheRawPolicy(Sound):
    """Apart, it acts by the raw policy: greedy actions are too frequent (no Eq. 17)."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        return replace(law, components=torch.stack([policies, law.components[1]]))


class PerAgentCoin(Sound):
    """Every agent tosses its own coin on top of its raw policy: greedy actions are too frequent."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        own = weights[0] * policies + weights[1] * law.components[1]
        return replace(law, components=torch.stack([own, own]))


class RenormalisedWrongly(Sound):
    """Eq. 17 with the other actions left as they were, then all divided by their sum."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        corrected = torch.where(law.components[1] > 0, law.components[0], policies)
        corrected = corrected / corrected.sum(-1, keepdim=True)
        return replace(law, components=torch.stack([corrected, law.components[1]]))


class NotNormalised(Sound):
    """The others keep their probabilities, so that the corrected policy sums to less than 1."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        corrected = torch.where(law.components[1] > 0, law.components[0], policies)
        return replace(law, components=torch.stack([corrected, law.components[1]]))


class ResonatesBeforeItShould(Sound):
    """Corrects for the final eta while the coin is still tossed with eta 0."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        early = resonant(policies, coin_weights(torch.tensor(self.ETA)))
        return replace(early, weights=weights)


class OtherWeights(Sound):
    """Says one coin before the episode and another in the law."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        return replace(law, weights=torch.tensor([0.5, 0.5]))


class WeightsBeyondOne(Sound):
    def weights(self, moment: Moment) -> Tensor:
        return torch.tensor([1.0, 0.05])


class OtherIndividual(Sound):
    """States the corrected policy as if it were the agent's own."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        return replace(law, individual=law.components[0])


class _Biased:
    """A law that states one thing and does another."""

    def __init__(self, law: JointPolicy) -> None:
        self.stated = law
        self.biased = replace(law, components=law.components.sqrt())

    @property
    def individual(self) -> Tensor:
        return self.stated.individual

    @property
    def weights(self) -> Tensor:
        return self.stated.weights

    def marginal(self) -> Tensor:
        return self.stated.marginal()

    def log_probability(self, actions: Tensor, component: Tensor) -> Tensor:
        return self.stated.log_probability(actions, component)

    def sampler(self) -> JointSampler:
        return self.stated.sampler()


class _DrawsByAnother(_Biased):
    def sampler(self) -> JointSampler:
        return self.biased.sampler()


class SamplesSomethingElse(Sound):
    """States one law and draws by another."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> Any:
        return _DrawsByAnother(super().law(policies, weights, progress))


class _ClaimsItsMarginal(_Biased):
    def marginal(self) -> Tensor:
        return self.stated.individual


class ClaimsItsMarginal(ExploresByTheRawPolicy):
    """Says that its marginal is the individual policy, whatever the law is."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> Any:
        return _ClaimsItsMarginal(super().law(policies, weights, progress))


# Games and time


class LooksAtTheBatch(Sound):
    """Together, everybody takes the action that all games of the batch like best, if it may."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = super().law(policies, weights, progress)
        liked = policies.flatten(0, -2).mean(0)
        wanted = (policies * liked).argmax(-1)
        together = certain(wanted, policies.shape[-1])
        return replace(law, components=torch.stack([law.components[0], together]))


class HiddenStep(Sound):
    """A schedule that goes on at every call, as with a ``.step()`` that a loop must not forget."""

    def eta(self, progress: Progress) -> Tensor:
        self.calls += 1
        return torch.tensor(self.ETA * min(1.0, self.calls / 1000))


class NoisyCoin(Sound):
    """Draws from the global generator."""

    def eta(self, progress: Progress) -> Tensor:
        return self.ETA * torch.rand(())


# Components with scores of their own


class FirstComponentSpeaks(wide_laws.SharedLatent):
    """States the policy of the first value of the latent variable as the individual policy."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return JointPolicy(policies[0], policies, weights)


class EveryValueAlike(wide_laws.SharedLatent):
    """Takes the mean over the values without their weights."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return JointPolicy(policies.mean(0), policies, weights)


class GreedyInTheFirst(wide_laws.SharedLatent):
    """For the first value of the latent variable agents are greedy: no longer Eq. 16."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        individual = torch.tensordot(weights, policies, dims=1)
        greedy = certain(policies[:1].argmax(-1), policies.shape[-1])
        return JointPolicy(individual, torch.cat([greedy, policies[1:]]), weights)


# Weights that depend on the state


class WeightsOfAnotherGame(wide_laws.Watchful):
    """Each game's weights are those of the game before it."""

    def weights(self, moment: Moment) -> Tensor:
        return super().weights(moment).roll(1, 0)


class LawOfTheMeanWeights(wide_laws.Watchful):
    """The law is made for the mean of all games' weights."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        constant = torch.full_like(weights, 0.5)
        components = wide_laws.quantile_components(policies, constant)
        return JointPolicy(policies, components, weights)


# Weights that are learnt


class NoModule:
    """What it learns would not be saved."""

    Config = wide_laws.LearntConfig

    def __init__(self, config: wide_laws.LearntConfig, spec: EnvironmentSpec) -> None:
        self.learnt = wide_laws.Learnt(config, spec)
        self.component_names = self.learnt.component_names
        self.holds = self.learnt.holds
        self.needs = self.learnt.needs
        self.weights = self.learnt.weights
        self.law = self.learnt.law
        self.losses = self.learnt.losses
        self.parameter_groups = self.learnt.parameter_groups


class LeavesOutAGroup(wide_laws.Learnt):
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([self.bias], 0.05)]


class TwiceInGroups(wide_laws.Learnt):
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [*super().parameter_groups(), ParameterGroup([self.bias], 0.05)]


class LearnsNothing(wide_laws.Learnt):
    """Its weights are cut off from what they are learnt by."""

    def weights(self, moment: Moment) -> Tensor:
        return super().weights(moment).detach() + 0 * self.bias.sum()


class NoLoss(wide_laws.Learnt):
    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        return iter(())


class InfiniteLoss(wide_laws.Learnt):
    """Divides by a deviation that can be 0."""

    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        for loss in super().losses(rollout, context):
            total = loss.total / (loss.total - loss.total).detach()
            yield replace(loss, total=total)


class LearnsOutsideParameters(wide_laws.Learnt):
    """What it learns is not in its state."""

    shift = 0.0

    def weights(self, moment: Moment) -> Tensor:
        logits = super().weights(moment).log()
        tilt = torch.arange(logits.shape[-1]) * self.shift
        return (logits + tilt).softmax(-1)

    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        self.shift += float(rollout.team_reward.mean())
        return super().losses(rollout, context)


class DropsComponents(wide_laws.Learnt):
    """Dropout on what it learns by, from the global generator."""

    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        for loss in super().losses(rollout, context):
            yield replace(loss, total=nn.functional.dropout(loss.total, 0.1))


# Agents that act one after the other


class HidesTheQueue(wide_laws.Queue):
    """A sequential law cannot be drawn from a table, and it does not say so."""

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds()


class _Copies(wide_laws.QueueLaw):
    def __call__(self, agent: int, actions: Tensor, component: Tensor) -> Tensor:
        own = self.policies[:, agent]
        if agent == 0:
            return own
        copied = certain(actions[:, -1], own.shape[-1])
        legal = copied * (own > 0)
        mixed = 0.5 * own + 0.5 * torch.where(
            legal.sum(-1, keepdim=True) > 0, legal, own
        )
        return torch.where(component.unsqueeze(-1) == 1, mixed, own)


class CopiesTheOneBefore(wide_laws.Queue):
    """Half of the time an agent does what the one before it does: its own frequencies change."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return SequentialPolicy(policies, weights, _Copies(policies))


class _Leaks(wide_laws.QueueLaw):
    def __call__(self, agent: int, actions: Tensor, component: Tensor) -> Tensor:
        return 0.99 * super().__call__(agent, actions, component)


class LosesProbability(wide_laws.Queue):
    """The laws of an agent, given those before it, sum to 0.99."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return SequentialPolicy(policies, weights, _Leaks(policies))


class _Whatever(wide_laws.QueueLaw):
    def __call__(self, agent: int, actions: Tensor, component: Tensor) -> Tensor:
        law = super().__call__(agent, actions, component)
        uniform = torch.full_like(law, 1 / law.shape[-1])
        return law if agent == 0 else 0.9 * law + 0.1 * uniform


class ExploresIllegalActions(wide_laws.Queue):
    """Later agents now and then do anything."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return SequentialPolicy(policies, weights, _Whatever(policies))


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Any], str] = {
    HasNoLaw: "coupling_has_every_member",
    OneNameForTwo: "what_a_coupling_says_of_itself_fits",
    EqualNames: "what_a_coupling_says_of_itself_fits",
    HoldsForAGame: "what_a_coupling_says_of_itself_fits",
    OtherCount: "what_a_coupling_says_of_itself_fits",
    HidesThatWeightsDiffer: "what_a_coupling_says_of_itself_fits",
    HidesThatItLooks: "what_a_coupling_says_of_itself_fits",
    GreedyIgnoresMasks: "illegal_actions_stay_impossible",
    ExploresByTheRawPolicy: "marginal_is_the_individual_policy",
    PerAgentCoin: "marginal_is_the_individual_policy",
    RenormalisedWrongly: "marginal_is_the_individual_policy",
    NotNormalised: "components_are_distributions",
    ResonatesBeforeItShould: "marginal_is_the_individual_policy",
    OtherWeights: "weights_are_known_before_the_scores",
    WeightsBeyondOne: "weights_are_known_before_the_scores",
    OtherIndividual: "law_states_the_individual_policy",
    SamplesSomethingElse: "sampling_follows_the_stated_law",
    ClaimsItsMarginal: "marginal_follows_from_the_law",
    LooksAtTheBatch: "games_do_not_influence_each_other",
    HiddenStep: "schedules_depend_on_progress_alone",
    NoisyCoin: "coupling_leaves_global_randomness_alone",
    FirstComponentSpeaks: "law_states_the_individual_policy",
    EveryValueAlike: "law_states_the_individual_policy",
    GreedyInTheFirst: "marginal_is_the_individual_policy",
    WeightsOfAnotherGame: "games_do_not_influence_each_other",
    LawOfTheMeanWeights: "marginal_is_the_individual_policy",
    NoModule: "what_learns_is_a_module",
    LeavesOutAGroup: "what_learns_is_a_module",
    TwiceInGroups: "what_learns_is_a_module",
    LearnsNothing: "losses_teach_the_weights",
    NoLoss: "losses_teach_the_weights",
    InfiniteLoss: "losses_teach_the_weights",
    LearnsOutsideParameters: "state_dict_holds_the_weights",
    DropsComponents: "learning_leaves_global_randomness_alone",
    HidesTheQueue: "sampling_follows_the_stated_law",
    CopiesTheOneBefore: "marginal_follows_from_the_law",
    LosesProbability: "components_are_distributions",
    ExploresIllegalActions: "illegal_actions_stay_impossible",
}


def make(mutant: type[Any], spec: EnvironmentSpec) -> Any:
    """A coupling of any of these classes, with its default settings."""
    config = getattr(mutant, "Config", None)
    return mutant(spec) if config is None else mutant(config(), spec)
