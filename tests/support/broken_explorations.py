"""Exploration strategies that each break one promise."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.config.named import ExplorationConfig
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.joint_policy import JointPolicy, JointSampler
from marl_core.protocols import ExplorationStrategy, Scores
from marl_core.types import Progress
from marl_pr.resonance import coin_weights, resonate


class Sound(ExplorationStrategy):
    """Resonance over a softmax, for as small an eta that Eq. 18 never clamps; each mutant changes one thing."""

    Config = ExplorationConfig
    ETA = 0.05

    def __init__(self, config: ExplorationConfig | None = None) -> None:
        self.calls = 0

    @property
    def accepts(self) -> frozenset[Scores]:
        return frozenset({"logits"})

    def eta(self, progress: Progress) -> Tensor:
        return torch.tensor(self.ETA * min(1.0, progress.stage_episodes / 1000))

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal)

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Tensor:
        return coin_weights(self.eta(progress))

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        return resonate(
            self.log_policy(scores, legal, progress).exp(),
            self.eta(progress),
            p_min=0.0,
        )


class IgnoresMasks(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, None)


class GreedyIgnoresMasks(Sound):
    """The individual policy respects masks, the greedy component takes the best score of all."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        greedy = torch.nn.functional.one_hot(
            scores.argmax(-1), scores.shape[-1]
        ).float()
        return JointPolicy(
            joint.individual, torch.stack([joint.components[0], greedy]), joint.weights
        )


class ExploresByTheRawPolicy(Sound):
    """Where the team does not resonate it acts by the raw policy: greedy actions are too frequent (no Eq. 17)."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        return JointPolicy(
            joint.individual,
            torch.stack([joint.individual, joint.components[1]]),
            joint.weights,
        )


class PerAgentCoin(Sound):
    """Every agent tosses its own coin, on top of its raw policy: greedy actions are too frequent."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        own = (
            joint.weights[0] * joint.individual + joint.weights[1] * joint.components[1]
        )
        return JointPolicy(joint.individual, torch.stack([own, own]), joint.weights)


class RenormalisedWrongly(Sound):
    """Eq. 17 with the other actions left as they were, then all divided by their sum."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        corrected = torch.where(
            joint.components[1] > 0, joint.components[0], joint.individual
        )
        corrected = corrected / corrected.sum(-1, keepdim=True)
        return JointPolicy(
            joint.individual,
            torch.stack([corrected, joint.components[1]]),
            joint.weights,
        )


class NotNormalised(Sound):
    """The others keep their probabilities, so that the corrected policy sums to less than 1."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        corrected = torch.where(
            joint.components[1] > 0, joint.components[0], joint.individual
        )
        return JointPolicy(
            joint.individual,
            torch.stack([corrected, joint.components[1]]),
            joint.weights,
        )


class ResonatesBeforeItShould(Sound):
    """Corrects for the final eta while the coin is still tossed with eta 0."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        individual = self.log_policy(scores, legal, progress).exp()
        early = resonate(individual, torch.tensor(self.ETA), p_min=0.0)
        return JointPolicy(
            individual, early.components, self.component_weights(progress)
        )


class OtherWeights(Sound):
    """Says one coin before the episode and another in the joint policy."""

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Tensor:
        return torch.tensor([0.5, 0.5])


class WeightsBeyondOne(Sound):
    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Tensor:
        return torch.tensor([1.0, 0.05])

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        return JointPolicy(
            joint.individual, joint.components, self.component_weights(progress)
        )


class HiddenStep(Sound):
    """A schedule that goes on at every call, as with a ``.step()`` that a loop must not forget."""

    def eta(self, progress: Progress) -> Tensor:
        self.calls += 1
        return torch.tensor(self.ETA * min(1.0, self.calls / 1000))


class MinusInfinity(Sound):
    """log 0 = -inf for illegal actions: 0 * -inf is NaN in the entropy."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        log_policy = log_softmax_policy(scores, legal)
        return (
            log_policy if legal is None else log_policy.masked_fill(~legal, -torch.inf)
        )


class LogOfSoftmax(Sound):
    """The logarithm of probabilities that have underflowed."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        masked = scores if legal is None else scores.masked_fill(~legal, -1e9)
        return masked.softmax(-1).log()


class Detached(Sound):
    """Nothing can be learnt through it."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal).detach()


class HalfTheGradient(Sound):
    """The normalising constant is treated as if it did not depend on the scores."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        log_policy = log_softmax_policy(scores, legal)
        return log_policy - scores + scores.detach()


class NotNormalisedLog(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal) - 0.01


class OtherIndividual(Sound):
    """States the corrected policy as if it were the agent's own."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        return JointPolicy(joint.components[0], joint.components, joint.weights)


class _BiasedPolicy(JointPolicy):
    def sampler(self) -> JointSampler:
        return JointPolicy(
            self.individual, self.components.sqrt(), self.weights
        ).sampler()


class SamplesSomethingElse(Sound):
    """States one law and draws by another."""

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        joint = super().joint_policy(scores, legal, progress)
        return _BiasedPolicy(joint.individual, joint.components, joint.weights)


class NormalisesOverTheBatch(Sound):
    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores - scores.mean((0, 1), keepdim=True), legal)


class NoisyScores(Sound):
    """Draws noise from the global generator."""

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores + 0.1 * torch.randn_like(scores), legal)


class NegativeBonus(Sound):
    def entropy_coefficient(self, progress: Progress) -> float:
        return -0.01


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Sound], str] = {
    IgnoresMasks: "illegal_actions_are_never_taken",
    GreedyIgnoresMasks: "illegal_actions_are_never_taken",
    ExploresByTheRawPolicy: "marginal_is_the_individual_policy",
    PerAgentCoin: "marginal_is_the_individual_policy",
    RenormalisedWrongly: "marginal_is_the_individual_policy",
    NotNormalised: "components_are_distributions",
    ResonatesBeforeItShould: "marginal_is_the_individual_policy",
    OtherWeights: "weights_are_known_before_the_scores",
    WeightsBeyondOne: "weights_are_known_before_the_scores",
    HiddenStep: "schedules_depend_on_progress_alone",
    MinusInfinity: "individual_policy_is_a_distribution",
    LogOfSoftmax: "individual_policy_is_a_distribution",
    Detached: "log_policy_is_differentiable",
    HalfTheGradient: "log_policy_is_differentiable",
    NotNormalisedLog: "individual_policy_is_a_distribution",
    OtherIndividual: "joint_policy_states_the_individual_policy",
    SamplesSomethingElse: "sampling_follows_the_stated_law",
    NormalisesOverTheBatch: "games_do_not_influence_each_other",
    NoisyScores: "exploration_leaves_global_randomness_alone",
    NegativeBonus: "entropy_coefficient_is_a_number",
}
