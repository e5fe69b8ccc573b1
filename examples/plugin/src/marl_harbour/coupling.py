"""A coupling: neighbours explore in opposite directions.

Every agent samples its own policy by inversion: it takes the action into whose part of [0, 1) a
uniform number falls. Here the team draws one of ``bins`` equal parts of [0, 1). Agents with even
numbers draw their uniform number from that part, the others from the part that mirrors it. Where
one tug pulls, its neighbour is likely not to. Each agent's own frequencies stay exactly as they
were (Eq. 16).
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


class MirroredConfig(CouplingConfig):
    """Settings of the coupling."""

    name: str = "mirrored"
    bins: int = Field(
        default=4, gt=0, le=64, description="How finely the team draws; 1: not at all."
    )


class Mirrored(Configured[MirroredConfig]):
    """A mixture of ``bins`` components, each as likely as the others."""

    needs = CouplingNeeds()
    holds: Holds = "step"

    @property
    def component_names(self) -> tuple[str, ...]:
        """For logs."""
        return tuple(f"part {number}" for number in range(self.config.bins))

    def weights(self, moment: Moment) -> Tensor:
        """All alike."""
        bins = self.config.bins
        return torch.full((bins,), 1 / bins, device=moment.device)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        """What of each action lies in each part, as a probability within the part."""
        bins = self.config.bins
        edges = torch.linspace(0, 1, bins + 1, device=policies.device)
        edges = edges.view(-1, *[1] * policies.dim()).to(policies.dtype)
        lower = policies.cumsum(-1) - policies
        below_edge = torch.minimum(policies, (edges - lower).clamp(min=0))
        overlap = below_edge.diff(dim=0)
        components = overlap / overlap.sum(-1, keepdim=True)
        odd = torch.arange(policies.shape[-2], device=policies.device) % 2 == 1
        mirrored = torch.where(odd.unsqueeze(-1), components.flip(0), components)
        return JointPolicy(policies, mirrored, weights)
