"""Agents that all act greedily: how a team is evaluated, and how it is used once it has learnt."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.config.named import CouplingConfig
from marl_core.configured import Configured
from marl_core.densities.agents import Densities
from marl_core.densities.law import DensityLaw
from marl_core.joint_policy import JointPolicy, certain, greedy_actions
from marl_core.types import Moment, Progress


class GreedyConfig(CouplingConfig):
    """There is nothing to set."""

    name: str = "greedy"


@final
class Greedy(Configured[GreedyConfig]):
    """Every agent takes the most probable action of its own policy.

    Eq. 16 does not hold: nothing is explored.
    """

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
        """The greedy joint action, for certain (Eq. 14).

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``.
            weights: ``[1]``.
            progress: how far the run is; it makes no difference.
        """
        greedy = certain(greedy_actions(policies), policies.shape[-1])
        return JointPolicy(policies, greedy.unsqueeze(0), weights)

    def departs(
        self, individual: Float[Tensor, "*B N A"], progress: Progress
    ) -> Bool[Tensor, "*B N"]:
        """Every agent that explores (``marl_core.abilities.Departs``).

        Args:
            individual: every agent's individual policy, ``[*B, N, A]``.
            progress: how far the run is; it makes no difference.
        """
        return individual.amax(-1) < 1

    def density_law(
        self, individual: Densities, weights: Float[Tensor, "1"], progress: Progress
    ) -> DensityLaw:
        """Every agent's mode, for certain, where actions are numbers in a box.

        Args:
            individual: every agent's own policy.
            weights: ``[1]``.
            progress: how far the run is; it makes no difference.
        """
        return DensityLaw.greedy(individual, weights)

    def departs_from_densities(self, progress: Progress) -> bool:
        """It does (``marl_core.abilities.DepartsFromDensities``).

        Args:
            progress: how far the run is; it makes no difference.
        """
        return True
