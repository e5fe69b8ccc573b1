"""Couplings that each break one promise towards those around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_core.types import Moment, Progress
from tests.support.broken_couplings import Sound, resonant


class WeightsOnTheCPU(Sound):
    """Makes its weights without ``device=``."""

    def weights(self, moment: Moment) -> Tensor:
        eta = self.ETA * min(1.0, moment.progress.stage_episodes / 1000)
        return torch.tensor([1 - eta, eta])


class DrawsTheWeightsHome(Sound):
    """Makes them where they are wanted, and takes them away again."""

    def weights(self, moment: Moment) -> Tensor:
        return torch.ones(1, device=moment.device).new_ones(1, device="cpu")


class WeightsBelowOne(Sound):
    """A component that hardly ever comes was left out of the sum."""

    def weights(self, moment: Moment) -> Tensor:
        return super().weights(moment) * (1 - 1e-3)


class NegativeWeights(Sound):
    def weights(self, moment: Moment) -> Tensor:
        return torch.tensor([1.01, -0.01], device=moment.device)


class CorrectsInPlace(Sound):
    """The corrected policies are written over the individual ones."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = resonant(policies.clone(), weights)
        policies.copy_(law.components[0])
        return law


class SharpensTheWeights(Sound):
    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = resonant(policies, weights.clone())
        weights[0] = 1.0
        return law


class MultipliesMatrices(Sound):
    """Mixes the components by a matrix product, which autocast takes for a network's."""

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        law = resonant(policies, weights)
        same = torch.eye(2) @ law.components.flatten(1)
        return JointPolicy(policies, same.view_as(law.components), weights)


class JoinsHeads(Sound):
    """Each has its own head first, and later all share one."""

    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        own = progress.stage_episodes < 1000
        return tuple(range(agents)) if own else (0,) * agents


class ForgetsAnAgent(Sound):
    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        return tuple(range(max(1, agents - 1)))


class MovesAgents(Sound):
    """Two groups always, but an agent changes from one to the other."""

    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        border = 1 if progress.stage_episodes < 1000 else 2
        return tuple(int(agent >= border) for agent in range(agents))


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Any], str] = {
    WeightsOnTheCPU: "weights_are_on_the_device",
    DrawsTheWeightsHome: "weights_are_on_the_device",
    WeightsBelowOne: "weights_are_known_before_the_scores",
    NegativeWeights: "weights_are_known_before_the_scores",
    CorrectsInPlace: "policies_are_only_read",
    SharpensTheWeights: "policies_are_only_read",
    MultipliesMatrices: "mixed_precision_changes_no_law",
    JoinsHeads: "head_groups_are_only_divided",
    ForgetsAnAgent: "head_groups_are_only_divided",
    MovesAgents: "head_groups_are_only_divided",
}
