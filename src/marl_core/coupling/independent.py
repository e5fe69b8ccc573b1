"""Agents that share nothing: what every algorithm does by default."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.config.named import CouplingConfig
from marl_core.configured import Configured
from marl_core.densities.agents import Densities
from marl_core.densities.law import DensityLaw
from marl_core.joint_policy import JointPolicy
from marl_core.types import Moment, Progress


class IndependentConfig(CouplingConfig):
    """There is nothing to set."""

    name: str = "independent"


@final
class Independent(Configured[IndependentConfig]):
    """Every agent draws its action from its own policy, independently of the others."""

    @property
    def component_names(self) -> tuple[str, ...]:
        """There is one component alone, so it needs no name."""
        return ()

    @property
    def holds(self) -> Holds:
        """It makes no difference."""
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        """Nothing."""
        return CouplingNeeds()

    def weights(self, moment: Moment) -> Float[Tensor, "1"]:
        """The one component is certain.

        Args:
            moment: says on which device.
        """
        return torch.ones(1, device=moment.device)

    def law(
        self,
        policies: Float[Tensor, "*B N A"],
        weights: Float[Tensor, "1"],
        progress: Progress,
    ) -> JointPolicy:
        """The product of the individual policies.

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``.
            weights: ``[1]``.
            progress: how far the run is; it makes no difference.
        """
        return JointPolicy(policies, policies.unsqueeze(0), weights)

    def density_law(
        self, individual: Densities, weights: Float[Tensor, "1"], progress: Progress
    ) -> DensityLaw:
        """The product of the individual policies, where actions are numbers in a box.

        Args:
            individual: every agent's own policy.
            weights: ``[1]``.
            progress: how far the run is; it makes no difference.
        """
        return DensityLaw(individual, weights)
