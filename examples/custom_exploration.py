"""A coupling of one's own: the whole team draws by one common quantile.

    marl train --config examples/fme_ppo_ma.yaml \
        --set "stages.0.exploration={name: custom_exploration:CommonQuantile}"

Every agent samples its own policy by inversion; here the team shares which ``1/bins`` of [0, 1) the
uniform number falls into. Agents that prefer their actions in the same order then explore together.
Each agent's own frequencies stay exactly as they were (Eq. 16), for every policy: in bin c, an
action's probability is its overlap with that bin. The individual policy is the run's own.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.config.named import CouplingConfig
from marl_core.configured import Configured
from marl_core.joint_policy import JointPolicy
from marl_core.types import Moment, Progress


class CommonQuantileConfig(CouplingConfig):
    bins: int = Field(
        default=4,
        gt=0,
        description="How finely the team shares its quantile; 1: not at all.",
    )


class CommonQuantile(Configured[CommonQuantileConfig]):
    """A mixture of ``bins`` components, each as likely as the others."""

    needs = CouplingNeeds()
    holds: Holds = "episode"

    @property
    def component_names(self) -> tuple[str, ...]:
        return tuple(f"bin {number}" for number in range(self.config.bins))

    def weights(self, moment: Moment) -> Tensor:
        bins = self.config.bins
        return torch.full((bins,), 1 / bins, device=moment.device)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        bins = self.config.bins
        edges = torch.linspace(0, 1, bins + 1, device=policies.device)
        edges = edges.view(-1, *[1] * policies.dim())
        # Each action has a part of [0, 1) as long as its probability; this is where it begins.
        lower = policies.cumsum(-1) - policies
        below_edge = torch.minimum(policies, (edges - lower).clamp(min=0))
        overlap = below_edge.diff(dim=0) * bins
        components = overlap / overlap.sum(-1, keepdim=True)
        return JointPolicy(policies, components, weights)
