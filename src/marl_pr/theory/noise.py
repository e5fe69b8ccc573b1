"""Sigma: how widely advantages are spread when all levels of an FME task are in their symmetric stationary policy.

PPO-MA divides advantages by their standard deviation over the batch, all levels and agents together. With a critic that
has learnt the mean reward of each level, an advantage is ``sum_k (gamma lambda)^k (r_(t+k) - E r_(t+k))``, and levels
are independent. The lucky arm of Lv-B makes most of it: it is drawn after the choice, so no policy can avoid it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_envs.fme.rewards import LevelTable
from marl_pr.theory.bisection import sign_change
from marl_pr.theory.policy_based import EntropyTrap

#: Table 3: 0.99 and 0.95.
GAMMA_LAMBDA = 0.99 * 0.95


def symmetric_policies(table: LevelTable, cost: float) -> Float[Tensor, "L A"]:
    """At each level the policy that all agents share, where reward and entropy balance; ``cost`` is sigma c_H.

    Lv-A and Lv-B: softmax of ``E[reward of one agent's action]/cost`` (their reward adds up over agents); Lv-C: p*.
    """
    on_arm, pay = table.arm_probability.double(), table.pay.double().unsqueeze(-1)
    policies = torch.softmax(on_arm * pay / cost, dim=-1)
    if not table.collapses.any():
        return policies
    actions = on_arm.shape[-1]
    p = EntropyTrap(table.agents, actions, cost).symmetric_point()
    trapped = p * on_arm + (1 - p) / (actions - 1) * (1 - on_arm)
    return torch.where(table.collapses.unsqueeze(-1), trapped, policies)


def reward_variances(
    table: LevelTable, policies: Float[Tensor, "L A"]
) -> Float[Tensor, "L"]:
    """Var[R] at each level when all agents follow the same policies, independently."""
    n, arm, pay, m = (
        table.agents,
        table.arm_probability.double(),
        table.pay.double(),
        policies.double(),
    )
    lost = table.collapses.unsqueeze(-1) * m**n
    mean = (arm * (n * m - n * lost)).sum(-1) * pay
    square = (arm * (n * m * (1 - m) + (n * m) ** 2 - n**2 * lost)).sum(-1) * pay**2
    return (square - mean**2).clamp(min=0)


def advantage_deviation(
    variances: Float[Tensor, "L"], discount: float = GAMMA_LAMBDA
) -> float:
    """The standard deviation of generalised advantages over all levels, with an exact critic."""
    total, behind = 0.0, 0.0
    for variance in reversed(variances.tolist()):
        behind = variance + discount**2 * behind
        total += behind
    return float((total / len(variances)) ** 0.5)


def trap_deviation(
    table: LevelTable, coefficient: float, discount: float = GAMMA_LAMBDA
) -> float:
    """The sigma that reproduces itself: policies that balance c_H under it spread advantages just so.

    A greater sigma makes entropy dearer, policies flatter and rewards less spread, so the two meet (in one point,
    wherever it was tried).
    """

    def excess(deviation: float) -> float:
        variances = reward_variances(
            table, symmetric_policies(table, coefficient * deviation)
        )
        return advantage_deviation(variances, discount) - deviation

    return sign_change(excess, 1e-3, 100.0)
