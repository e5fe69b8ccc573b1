"""Sigma: the standard deviation of advantages when a whole FME task is in its symmetric state.

PPO-MA divides advantages by their standard deviation over the batch, over all levels and agents
together. Suppose that every level is in its symmetric stationary policy, and that the critic has
learnt the mean reward of each level. Then an advantage is

    sum_k (gamma lambda)^k (r_(t+k) - E r_(t+k))

and levels are independent of each other. Most of sigma comes from the lucky arm of Lv-B: it is
drawn after the choice, so no policy can avoid its noise.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_envs.fme.rewards import LevelTable
from marl_pr.theory.bisection import sign_change
from marl_pr.theory.policy_based import EntropyTrap

#: gamma and lambda of Table 3: 0.99 and 0.95.
GAMMA_LAMBDA = 0.99 * 0.95
#: Sigma is looked for between these two.
_SMALLEST_DEVIATION = 1e-3
_LARGEST_DEVIATION = 100.0


def symmetric_policies(table: LevelTable, cost: float) -> Float[Tensor, "L A"]:
    """At each level the policy, shared by all agents, in which reward and entropy balance.

    At Lv-A and Lv-B the rewards of agents add up, and the policy is the softmax of
    ``E[reward of one agent's action]/cost``. At Lv-C it takes u_gamma with probability p*.

    Args:
        table: the levels of the task.
        cost: sigma c_H, the price of one nat of entropy in reward.

    Returns:
        A probability for each of L levels and A actions.
    """
    on_arm = table.arm_probability.double()
    pay = table.pay.double().unsqueeze(-1)
    policies = torch.softmax(on_arm * pay / cost, dim=-1)
    if not table.collapses.any():
        return policies
    actions = on_arm.shape[-1]
    p = EntropyTrap(table.agents, actions, cost).symmetric_point()
    off_arm = (1 - p) / (actions - 1)
    trapped = p * on_arm + off_arm * (1 - on_arm)
    return torch.where(table.collapses.unsqueeze(-1), trapped, policies)


def reward_variances(
    table: LevelTable,
    policies: Float[Tensor, "L A"],
) -> Float[Tensor, "L"]:
    """Var[R] at each level when all agents follow the same policies, independently.

    Args:
        table: the levels of the task.
        policies: of every agent at each of L levels, ``[L, A]``.
    """
    agents = table.agents
    arm = table.arm_probability.double()
    pay = table.pay.double()
    chosen = policies.double()
    lost = table.collapses.unsqueeze(-1) * chosen**agents
    # The number of agents on an action is binomial; where it is all of them, Lv-C pays nothing.
    number = agents * chosen
    mean_number = number - agents * lost
    square_number = number * (1 - chosen) + number**2 - agents**2 * lost
    mean = (arm * mean_number).sum(-1) * pay
    square = (arm * square_number).sum(-1) * pay**2
    return (square - mean**2).clamp(min=0)


def advantage_deviation(
    variances: Float[Tensor, "L"],
    discount: float = GAMMA_LAMBDA,
) -> float:
    """The standard deviation of generalised advantages over all levels, with an exact critic.

    Args:
        variances: Var[R] at each of L levels, in the order in which they are played.
        discount: gamma times lambda.
    """
    total = 0.0
    from_here_on = 0.0
    for variance in reversed(variances.tolist()):
        from_here_on = variance + discount**2 * from_here_on
        total += from_here_on
    return float((total / len(variances)) ** 0.5)


def trap_deviation(
    table: LevelTable,
    coefficient: float,
    discount: float = GAMMA_LAMBDA,
) -> float:
    """The sigma that reproduces itself: the symmetric policies under it spread advantages by it.

    A larger sigma makes entropy dearer, policies flatter, and rewards less spread. Therefore the
    two are equal somewhere; in all cases that were tried, at exactly one sigma.

    Args:
        table: the levels of the task.
        coefficient: c_H, the entropy coefficient.
        discount: gamma times lambda.
    """

    def excess(deviation: float) -> float:
        policies = symmetric_policies(table, coefficient * deviation)
        variances = reward_variances(table, policies)
        return advantage_deviation(variances, discount) - deviation

    return sign_change(excess, _SMALLEST_DEVIATION, _LARGEST_DEVIATION)
