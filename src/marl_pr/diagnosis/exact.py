"""Signals in closed form, for environments that know their expected reward: what the estimates
from games are held against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.abilities import HasExactReward
from marl_core.joint_policy import JointPolicy
from marl_pr.diagnosis.lone import either
from marl_pr.diagnosis.verdict import DROWNED


@dataclass(frozen=True)
class ExactSignals:
    """Each agent's signals at each level, where a step's actions decide its own reward alone.

    Attributes:
        alone: in a team that is greedy but for the agent.
        independent: among agents that explore independently.
    """

    alone: Float[Tensor, "L N"]
    independent: Float[Tensor, "L N"]

    def lost(
        self,
        worth: Float[Tensor, "L"],
    ) -> Bool[Tensor, "L N"]:
        """Which agents are lost.

        Args:
            worth: the least worth of a deviation that counts, at each level.
        """
        counts = self.alone > worth.unsqueeze(-1)
        return counts & (self.independent < DROWNED * self.alone)


def exact_signals(
    environment: HasExactReward,
    individual: Float[Tensor, "M N A"],
) -> ExactSignals:
    """The signals of a team in closed form.

    Args:
        environment: knows its expected reward.
        individual: every agent's policy in each row of the environment's table.
    """
    greedy, deviating = either(individual)
    reward = environment.expected_rewards
    return ExactSignals(
        _differences(reward, greedy, greedy, deviating),
        _differences(reward, individual, greedy, deviating),
    )


def _differences(
    reward: Callable[[JointPolicy], Tensor],
    team: Float[Tensor, "M N A"],
    staying: Float[Tensor, "M N A"],
    deviating: Float[Tensor, "M N A"],
) -> Float[Tensor, "L N"]:
    """Of each agent, what the team earns more where it deviates than where it stays."""
    gains = []
    # A joint policy is one team's, and here each agent makes a team of its own.
    for agent in range(team.shape[-2]):
        both = team.unsqueeze(0).repeat(2, 1, 1, 1)
        both[0, :, agent] = deviating[:, agent]
        both[1, :, agent] = staying[:, agent]
        deviates, stays = (reward(JointPolicy.independent(one)) for one in both)
        gains.append(deviates - stays)
    return torch.stack(gains, dim=-1)
