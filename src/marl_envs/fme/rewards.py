"""The rewards of FME, sampled and expected.

All three kinds of level follow one rule. An arm is drawn from ``arm_probability`` (at a Lv-A and a
Lv-C, one arm is certain), and the team earns ``pay`` for every agent on that arm. At a Lv-C, it
earns nothing if all agents are on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_envs.fme.config import LevelConfig


@dataclass(frozen=True)
class LevelTable:
    """The parameters of L levels for N agents and A actions.

    Attributes:
        arm_probability: how likely each action is to be the arm.
        arm_cumulative: the running sums of these probabilities; the last one is exactly 1.
        pay: what the team earns for each agent on the arm.
        collapses: whether the team earns nothing if all agents are on the arm.
        agents: N.
    """

    arm_probability: Float[Tensor, "L A"]
    arm_cumulative: Float[Tensor, "L A"]
    pay: Float[Tensor, "L"]
    collapses: Bool[Tensor, "L"]
    agents: int

    @classmethod
    def build(
        cls,
        levels: Sequence[LevelConfig],
        agents: int,
        actions: int,
        device: torch.device | str,
    ) -> Self:
        """The table of some levels.

        Args:
            levels: in order.
            agents: the size of the team.
            actions: the number of actions.
            device: where the table is kept.
        """
        probability = torch.zeros(len(levels), actions, dtype=torch.float64)
        for row, level in zip(probability, levels, strict=True):
            _set_arms(row, level)
        cumulative = probability.cumsum(-1)
        ending_in_one = cumulative / cumulative[:, -1:]
        pay = [_pay(level, agents) for level in levels]
        collapses = [level.kind == "C" for level in levels]
        return cls(
            arm_probability=probability.float().to(device),
            arm_cumulative=ending_in_one.float().to(device),
            pay=torch.tensor(pay, device=device),
            collapses=torch.tensor(collapses, device=device),
            agents=agents,
        )

    def sample(
        self,
        level: Int[Tensor, "E"],
        actions: Int[Tensor, "E N"],
        uniform: Float[Tensor, "E"],
    ) -> Float[Tensor, "E"]:
        """The team reward of each game (Section 2.2; Eq. 2 for a Lv-C).

        Args:
            level: where each game is.
            actions: of the agents.
            uniform: a random number in [0, 1) for each game, from which the arm is drawn.
        """
        cumulative = self.arm_cumulative[level]
        draw = uniform.unsqueeze(-1)
        arm = torch.searchsorted(cumulative, draw, right=True)
        on_arm = (actions == arm).sum(-1)
        lost = self.collapses[level] & (on_arm == self.agents)
        return torch.where(lost, 0.0, on_arm * self.pay[level])

    def expected(self, joint: JointPolicy) -> Float[Tensor, "L"]:
        """The expected team reward at each level.

        In each component of the joint policy, agents act independently. There, Eq. 19 holds at a
        Lv-A and a Lv-B, and Eq. 5 at a Lv-C: ``(sum_i pi_i - N prod_i pi_i) / (N - 1)``. The
        components are then averaged by their weights.

        Args:
            joint: policies at all levels, with the levels as their leading axis.
        """
        policies = joint.components.double()
        arms = self.arm_probability.double()
        on_arm = torch.einsum("clna,la->cl", policies, arms)
        all_on_arm = torch.einsum("cla,la->cl", policies.prod(-2), arms)
        lost = torch.where(self.collapses, self.agents * all_on_arm, 0.0)
        rewards = (on_arm - lost) * self.pay.double()
        return joint.weights.double() @ rewards


def _set_arms(
    row: Float[Tensor, "A"],
    level: LevelConfig,
) -> None:
    """Write the probabilities of a level's arms into a row of zeros."""
    if level.kind == "B":
        arms = list(level.arms)
        row[arms] = torch.tensor(level.probabilities, dtype=row.dtype)
    else:
        row[level.action] = 1.0


def _pay(
    level: LevelConfig,
    agents: int,
) -> float:
    """What the team earns for each agent on the arm."""
    match level.kind:
        case "A":
            return 1 / agents
        case "B":
            return 1 / (max(level.probabilities) * agents)
        case "C":
            return 1 / (agents - 1)
