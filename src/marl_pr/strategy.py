"""Policy resonance as an exploration strategy: it wraps any individual policy and changes only the coupling."""

from __future__ import annotations

from typing import Literal, final

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from marl_core.config.run import WrappingExplorationConfig
from marl_core.errors import UserError
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import ExplorationStrategy, HostAlgorithm, Scores
from marl_core.registry import build
from marl_core.types import Progress
from marl_pr.resonance import coin_weights, resonate
from marl_pr.schedule import resonance_probability


class PolicyResonanceConfig(WrappingExplorationConfig):
    """Settings of policy resonance. The paper's defaults, but for ``p_min``: the authors' demonstration's."""

    eta_max: float = Field(
        default=0.75,
        ge=0,
        lt=1,
        description="Greatest resonance probability (Section 6.1).",
    )
    ramp_episodes: int = Field(
        default=50_000,
        ge=0,
        description="M_pr: episodes of the stage in which eta rises from 0 to eta_max.",
    )
    p_min: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="p_min of Eq. 18. The paper bounds it by 1/n_k.",
    )
    level: Literal["episode", "step"] = Field(
        default="episode", description="How long the team's coin holds (Fig. 2)."
    )
    variant: Literal["pr", "pr_fast"] = Field(
        default="pr",
        description="pr_fast: body of the policy network frozen, a copy of its head for each agent.",
    )


@final
class PolicyResonance(ExplorationStrategy):
    """Policy resonance: a team-wide coin between acting greedily together and exploring by corrected policies."""

    Config = PolicyResonanceConfig

    def __init__(self, config: PolicyResonanceConfig) -> None:
        if config.individual is None:
            raise UserError(
                "policy_resonance needs an 'individual' exploration to wrap"
            )
        self.config = config
        self.individual: ExplorationStrategy = build("exploration", config.individual)

    @property
    def accepts(self) -> frozenset[Scores]:
        """What the wrapped strategy understands."""
        return self.individual.accepts

    @property
    def redraw_every_step(self) -> bool:
        """Algorithm 1: line 5 for each episode, or moved to line 7 for each step."""
        return self.config.level == "step" or self.individual.redraw_every_step

    def eta(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Float[Tensor, ""]:
        """The resonance probability now."""
        value = resonance_probability(
            progress.stage_episodes, self.config.eta_max, self.config.ramp_episodes
        )
        return torch.tensor(value, dtype=torch.float32, device=device)

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The wrapped strategy's: resonance leaves the raw policy as it is."""
        return self.individual.log_policy(scores, legal, progress)

    def joint_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> JointPolicy:
        """Eq. 11 over the wrapped individual policy."""
        return resonate(
            self.log_policy(scores, legal, progress).exp(),
            self.eta(progress, scores.device),
            self.config.p_min,
        )

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "C"]:
        """P(not resonated), P(resonated)."""
        return coin_weights(self.eta(progress, device))

    @property
    def component_names(self) -> tuple[str, ...]:
        """Whether the team is in resonance."""
        return "not in resonance", "in resonance"

    def entropy_coefficient(self, progress: Progress) -> float:
        """The wrapped strategy's."""
        return self.individual.entropy_coefficient(progress)

    def prepare_host(self, host: HostAlgorithm) -> None:
        """PR-Fast: freeze the body, copy the head for each agent (Section 6.1)."""
        self.individual.prepare_host(host)
        if self.config.variant == "pr_fast":
            host.give_each_agent_its_own_head()
