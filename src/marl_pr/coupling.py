"""Policy resonance as a coupling: it changes what a team shares, and leaves every agent's own
policy as it is.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from marl_core.base_config import MOST_IN_ALL, mistake
from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.config.named import CouplingConfig
from marl_core.configured import Configured
from marl_core.densities.agents import Densities
from marl_core.densities.law import DensityLaw, RankLaw
from marl_core.joint_policy import JointPolicy
from marl_core.notes import note
from marl_core.types import EnvironmentSpec, Moment, Progress
from marl_pr.density_resonance import resonant_ranks
from marl_pr.head_tree import groups_at
from marl_pr.resonance import (
    clamp_acts,
    coin_weights,
    greedy_policies,
    resonant_components,
)
from marl_pr.schedule import resonance_probability

#: The greatest p_min times n_k without a word: that of the authors' demonstration.
_BEARABLE = 2.0


class PolicyResonanceConfig(CouplingConfig):
    """Settings of policy resonance: the paper's, but for ``p_min``, which is from the authors'
    demonstration.
    """

    name: str = "policy_resonance"
    eta_max: float = Field(
        default=0.75,
        ge=0,
        lt=1,
        description="Greatest resonance probability (Section 6.1).",
    )
    ramp_episodes: int = Field(
        default=50_000,
        ge=0,
        le=MOST_IN_ALL,
        description="M_pr: episodes of the stage in which eta rises from 0 to eta_max.",
    )
    p_min: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="p_min of Eq. 18. The paper bounds it by 1/n_k. Above 0.5 an agent would act "
        "greedily more often than not, whatever its policy says. Where actions are numbers in a "
        "box, how often an agent lies in the core outside of resonance.",
    )
    level: Holds = Field(
        default="episode", description="How long the team's coin holds (Fig. 2)."
    )
    variant: Literal["pr", "pr_fast"] = Field(
        default="pr",
        description="pr_fast: body of the policy network frozen, "
        "a copy of its head for each agent.",
    )
    heads: Literal["at_once", "tree"] = Field(
        default="at_once",
        description="When the heads of pr_fast part: all at the start of the stage, or step by "
        "step, as in the authors' program (all agents share one, then two, then four ...).",
    )
    split_episodes: int = Field(
        default=128,
        gt=0,
        le=MOST_IN_ALL,
        description="Episodes from one step of a tree of heads to the next; the authors' two "
        "updates of 64.",
    )
    corrected: bool = Field(
        default=True,
        description="Whether a team that is not in resonance acts by the corrected policies of "
        "Eq. 18. False is a control: as many games are played greedily, the others as without "
        "resonance, so that Eq. 16 does not hold.",
    )

    @model_validator(mode="after")
    def _a_tree_is_of_own_heads(self) -> PolicyResonanceConfig:
        if self.heads == "tree" and self.variant != "pr_fast":
            raise mistake("a tree of heads needs variant: pr_fast", "heads")
        return self

    @property
    def needs(self) -> CouplingNeeds:
        """PR-Fast needs a head for each agent, which may have to be shared at first."""
        return CouplingNeeds(
            own_heads=self.variant == "pr_fast",
            head_groups=self.heads == "tree",
        )


@final
class PolicyResonance(Configured[PolicyResonanceConfig]):
    """A team-wide coin between acting greedily together and exploring by corrected policies (Eq.
    11-18).

    Usage::

        CoupledExploration(EpsilonGreedy(end=0.05), PolicyResonance(eta_max=0.75))

    A ``p_min`` of more than twice 1/n_k is noted: Eq. 16 then fails for many policies.

    Args:
        config: the settings; None: they are given by keywords.
        spec: what the environment gives.
        settings: the config's fields, where ``config`` is None.
    """

    def __init__(
        self,
        config: PolicyResonanceConfig | None = None,
        spec: EnvironmentSpec | None = None,
        **settings: object,
    ) -> None:
        super().__init__(config, spec, **settings)
        if spec is not None and self.config.p_min * spec.actions > _BEARABLE:
            found = f"p_min is {self.config.p_min:g} with {spec.actions} actions"
            bound = f"the paper bounds it by 1/{spec.actions} = {1 / spec.actions:.3g}"
            note(f"policy_resonance: {found}, and {bound}, so that Eq. 16 holds")

    @property
    def component_names(self) -> tuple[str, ...]:
        """Whether the team is in resonance."""
        return "not in resonance", "in resonance"

    @property
    def holds(self) -> Holds:
        """Algorithm 1: line 5 for each episode, or moved to line 7 for each step."""
        return self.config.level

    @property
    def needs(self) -> CouplingNeeds:
        """PR-Fast needs a head for each agent, which may have to be shared at first."""
        return self.config.needs

    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        """Which agents share a head: those with equal numbers.

        Args:
            agents: N.
            progress: how far the run is.
        """
        if self.config.heads == "at_once":
            return tuple(range(agents))
        level = progress.stage_episodes // self.config.split_episodes
        return groups_at(level, agents)

    def weights(self, moment: Moment) -> Float[Tensor, "2"]:
        """P(not resonated) and P(resonated) = eta.

        Args:
            moment: how far the run is, and on which device the weights are wanted.
        """
        return coin_weights(self._eta(moment.progress, moment.device))

    def _eta(self, progress: Progress, device: torch.device) -> Float[Tensor, ""]:
        eta = resonance_probability(
            progress.stage_episodes,
            self.config.eta_max,
            self.config.ramp_episodes,
        )
        # ``torch.tensor`` would copy it to the device, and wait for that.
        return torch.full((), eta, dtype=torch.float32, device=device)

    def law(
        self,
        policies: Float[Tensor, "*B N A"],
        weights: Float[Tensor, "2"],
        progress: Progress,
    ) -> JointPolicy:
        """Eq. 11 over the individual policies.

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``.
            weights: P(not resonated) and P(resonated).
            progress: how far the run is; the weights have it already.
        """
        if self.config.corrected:
            eta, p_min = weights[1], self.config.p_min
            components = resonant_components(policies, eta, p_min, validate=False)
        else:
            components = torch.stack([policies, greedy_policies(policies)])
        return JointPolicy(policies, components, weights)

    def density_law(
        self,
        individual: Densities,
        weights: Float[Tensor, "2"],
        progress: Progress,
    ) -> DensityLaw:
        """Eq. 11 over densities, where actions are numbers in a box: no ``p_min`` breaks Eq. 16.

        Args:
            individual: every agent's own policy.
            weights: P(not resonated) and P(resonated).
            progress: how far the run is; the weights have it already.
        """
        ranks = resonant_ranks(weights[1], self.config.p_min)
        if not self.config.corrected:
            own = torch.stack([ranks.core[0], ranks.inside[1]])
            ranks = RankLaw(ranks.core, own)
        return DensityLaw(individual, weights, ranks)

    def departs_from_densities(self, progress: Progress) -> bool:
        """Uncorrected, agents that explore draw from their cores more often than they say.

        Args:
            progress: how far the run is.
        """
        return not self.config.corrected

    def departs(
        self, individual: Float[Tensor, "*B N A"], progress: Progress
    ) -> Bool[Tensor, "*B N"]:
        """The agents for which Eq. 16 does not hold, as the spec checker has to know.

        Corrected, it is where Eq. 18 clamps. Uncorrected, every agent that explores acts greedily
        more often than its policy says.

        Args:
            individual: the individual policies, ``[*B, N, A]``.
            progress: how far the run is.
        """
        eta = self._eta(progress, individual.device)
        if self.config.corrected:
            return clamp_acts(individual, eta, self.config.p_min)
        return (individual.amax(-1) < 1) & (eta > 0)
