"""An exploration strategy of one's own: the whole team draws by one common quantile.

    marl train --config examples/fme_ppo_ma.yaml --set exploration.name=custom_exploration:CommonQuantile \
        --set exploration.coefficient=0.05

Every agent samples its own policy by inversion; here the team shares which ``1/bins`` of [0, 1) the uniform number
falls into. Agents that prefer their actions in the same order then explore together. Each agent's own frequencies stay
exactly as they were (Eq. 16), for every policy: in bin c, an action's probability is its overlap with that bin.
"""

from __future__ import annotations

from typing import final

import torch
from pydantic import Field
from torch import Tensor

from marl_core.config.named import ExplorationConfig
from marl_core.exploration.softmax import log_softmax_policy
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import ExplorationStrategy, Scores
from marl_core.types import Progress


class CommonQuantileConfig(ExplorationConfig):
    coefficient: float = Field(default=0.05, ge=0, description="c_H of Eq. 1.")
    bins: int = Field(
        default=4,
        gt=0,
        description="How finely the team shares its quantile; 1: not at all.",
    )


@final
class CommonQuantile(ExplorationStrategy):
    """A mixture of ``bins`` components, each as likely as the others."""

    Config = CommonQuantileConfig

    def __init__(self, config: CommonQuantileConfig) -> None:
        self.config = config

    @property
    def accepts(self) -> frozenset[Scores]:
        return frozenset({"logits"})

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        return log_softmax_policy(scores, legal)

    def entropy_coefficient(self, progress: Progress) -> float:
        return self.config.coefficient

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Tensor:
        return torch.full((self.config.bins,), 1 / self.config.bins, device=device)

    def joint_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> JointPolicy:
        policy = self.log_policy(scores, legal, progress).exp()
        upper = policy.cumsum(-1)
        edges = torch.linspace(0, 1, self.config.bins + 1, device=policy.device).view(
            -1, *[1] * policy.dim()
        )
        below_edge = torch.minimum(
            policy, (edges - (upper - policy)).clamp(min=0)
        )  # what of an action lies below it
        components = below_edge.diff(dim=0) * self.config.bins
        weights = self.component_weights(progress, policy.device)
        return JointPolicy(
            policy, components / components.sum(-1, keepdim=True), weights
        )
