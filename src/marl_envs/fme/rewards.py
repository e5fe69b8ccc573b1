"""The rewards of FME, sampled and expected.

All three kinds of level are one thing: an arm is drawn from ``arm_probability`` (for Lv-A and Lv-C it is certain),
every agent on that arm earns ``pay``, and at a Lv-C everything is lost if the whole team is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_envs.fme.config import LevelConfig


@dataclass(frozen=True)
class LevelTable:
    """The parameters of L levels for N agents and A actions."""

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
    ) -> LevelTable:
        """The table of a list of levels."""
        probability, pay = torch.zeros(len(levels), actions, dtype=torch.float64), []
        for row, level in zip(probability, levels, strict=True):
            if level.kind == "B":
                row[list(level.arms)] = torch.tensor(
                    level.probabilities, dtype=row.dtype
                )
                pay.append(1 / (max(level.probabilities) * agents))
            else:
                row[level.action] = 1.0
                pay.append(1 / agents if level.kind == "A" else 1 / (agents - 1))
        cumulative = probability.cumsum(-1)
        return cls(
            arm_probability=probability.float().to(device),
            arm_cumulative=(cumulative / cumulative[:, -1:]).float().to(device),
            pay=torch.tensor(pay, device=device),
            collapses=torch.tensor(
                [level.kind == "C" for level in levels], device=device
            ),
            agents=agents,
        )

    def sample(
        self,
        level: Int[Tensor, "E"],
        actions: Int[Tensor, "E N"],
        uniform: Float[Tensor, "E"],
    ) -> Float[Tensor, "E"]:
        """The team reward of each game (Section 2.2; Eq. 2 for Lv-C)."""
        arm = torch.searchsorted(
            self.arm_cumulative[level], uniform.unsqueeze(-1), right=True
        )
        on_arm = (actions == arm).sum(-1)
        lost = self.collapses[level] & (on_arm == self.agents)
        return torch.where(lost, 0.0, on_arm * self.pay[level])

    def expected(self, joint: JointPolicy) -> Float[Tensor, "L"]:
        """The expected team reward at each level; ``joint`` has the levels as its leading axis.

        For each component, in which agents are independent: Lv-A and Lv-B by Eq. 19, Lv-C by Eq. 5,
        ``(sum_i pi_i - N prod_i pi_i)/(N-1)``. The team's coin then weighs the components.
        """
        policies = joint.components.double()
        on_arm = torch.einsum("clna,la->cl", policies, self.arm_probability.double())
        all_on_arm = torch.einsum(
            "cla,la->cl", policies.prod(-2), self.arm_probability.double()
        )
        lost = torch.where(self.collapses, self.agents * all_on_arm, 0.0)
        return joint.weights.double() @ ((on_arm - lost) * self.pay.double())
