"""The reward of Lv-C in expectation: Eq. 2-10 and Eq. 20, and what one agent sees of it.

``gamma_probabilities`` are pi_1(u_gamma) ... pi_N(u_gamma), the chances that the agents take the action that all but
one of them should take. All functions work in double precision over any leading axes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.joint_policy import JointPolicy


def penalty_probability(
    gamma_probabilities: Float[Tensor, "*B N"],
) -> Float[Tensor, "*B"]:
    """P_plt, Eq. 3: the chance that independent agents all take u_gamma."""
    return gamma_probabilities.double().prod(-1)


def expected_reward(gamma_probabilities: Float[Tensor, "*B N"]) -> Float[Tensor, "*B"]:
    """E[R_C] of independent agents, Eq. 5. At least two agents."""
    agents = _team(gamma_probabilities)
    taken = gamma_probabilities.double().sum(-1)
    return (taken - agents * penalty_probability(gamma_probabilities)) / (agents - 1)


def reward_gradient(
    gamma_probabilities: Float[Tensor, "*B N"],
) -> Float[Tensor, "*B N"]:
    """dE[R_C]/dpi_i(u_gamma), Eq. 6. At least two agents."""
    agents = _team(gamma_probabilities)
    return (1 - agents * product_of_others(gamma_probabilities.double())) / (agents - 1)


def product_of_others(values: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """``prod over j != i`` for every i, without a division, so that zeros are no exception."""
    ones = torch.ones_like(values[..., :1])
    before = torch.cat([ones, values[..., :-1]], dim=-1).cumprod(-1)
    behind = torch.cat([values[..., 1:], ones], dim=-1).flip(-1).cumprod(-1).flip(-1)
    return before * behind


def others_mean(gamma_probabilities: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """Pi_i, Eq. 8: for every agent the geometric mean of the others' probabilities."""
    agents = _team(gamma_probabilities)
    return product_of_others(gamma_probabilities.double()) ** (1 / (agents - 1))


def critical_probability(agents: int) -> float:
    """N^(-1/(N-1)), Eq. 9 and 10: an agent is better off leaving u_gamma where Pi_i is above this.

    It is 1/2 for two agents, 0.824 for 15, and goes to 1.

    Raises:
        ValueError: fewer than two agents.
    """
    if agents < 2:
        raise ValueError(f"agents: Lv-C needs at least 2, found {agents}")
    return float(agents ** (-1 / (agents - 1)))


def epsilon_greedy_probability(epsilon: float, actions: int) -> float:
    """How often epsilon-greedy takes the greedy action: 1 - epsilon + epsilon/n_k."""
    return 1 - epsilon + epsilon / actions


def epsilon_greedy_penalty(epsilon: float, actions: int, agents: int) -> float:
    """P_penalty, Eq. 20: all agents' greedy action is u_gamma, and none of them explores."""
    return epsilon_greedy_probability(epsilon, actions) ** agents


def joint_penalty_probability(joint: JointPolicy, action: int) -> Float[Tensor, "*B"]:
    """P_plt under any coupling: the chance that all agents take ``action``.

    In resonance it is eta times whether all greedy actions are ``action``, plus (1 - eta) times Eq. 3 of the corrected
    policies.
    """
    penalty = penalty_probability(joint.components[..., action])
    return torch.tensordot(joint.weights.double(), penalty, dims=1)


def joint_expected_reward(joint: JointPolicy, action: int) -> Float[Tensor, "*B"]:
    """E[R_C] under any coupling, with u_gamma = ``action``."""
    return torch.tensordot(
        joint.weights.double(), expected_reward(joint.components[..., action]), dims=1
    )


def reward_difference(joint: JointPolicy, action: int) -> Float[Tensor, "*B N"]:
    """E[R_C | u_i = u_gamma] - E[R_C | u_i != u_gamma] of every agent i: what its own samples tell it.

    For independent agents this is Eq. 6. Under a shared coin the agent's own action is also news about what the others
    do, which is how resonance lets it see the penalty. Where an agent always, or never, takes the action there is
    nothing to compare and the difference is 0.
    """
    taking = joint.components[..., action].double()  # [C, *B, N]
    agents = _team(taking)
    weight = joint.weights.double().view(-1, *[1] * (taking.dim() - 1))
    others = (taking.sum(-1, keepdim=True) - taking) / (agents - 1)
    with_it = others + reward_gradient(taking)
    taken, left = (weight * taking).sum(0), (weight * (1 - taking)).sum(0)
    mean_with = (weight * taking * with_it).sum(0) / torch.where(taken > 0, taken, 1.0)
    mean_without = (weight * (1 - taking) * others).sum(0) / torch.where(
        left > 0, left, 1.0
    )
    return torch.where((taken > 0) & (left > 0), mean_with - mean_without, 0.0)


def _team(probabilities: Tensor) -> int:
    agents = probabilities.shape[-1]
    if agents < 2:
        raise ValueError(f"agents: Lv-C needs at least 2, found {agents}")
    return agents
