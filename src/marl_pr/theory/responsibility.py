"""The expected reward of Lv-C, and what one agent sees of it: Eq. 2-10 and Eq. 20.

``gamma_probabilities`` are pi_1(u_gamma) ... pi_N(u_gamma): how probable it is that each agent
takes the action that all agents but one should take. All functions work in double precision, over
any leading axes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.joint_policy import JointPolicy


def penalty_probability(
    gamma_probabilities: Float[Tensor, "*B N"],
) -> Float[Tensor, "*B"]:
    """P_plt, Eq. 3: the probability that independent agents all take u_gamma.

    Args:
        gamma_probabilities: pi_i(u_gamma) of each agent, ``[*B, N]``.
    """
    return gamma_probabilities.double().prod(-1)


def expected_reward(gamma_probabilities: Float[Tensor, "*B N"]) -> Float[Tensor, "*B"]:
    """E[R_C] of independent agents, Eq. 5.

    Args:
        gamma_probabilities: pi_i(u_gamma) of each agent, ``[*B, N]``.

    Raises:
        ValueError: there are fewer than two agents.
    """
    agents = _team_size(gamma_probabilities)
    taken = gamma_probabilities.double().sum(-1)
    lost = agents * penalty_probability(gamma_probabilities)
    return (taken - lost) / (agents - 1)


def reward_gradient(
    gamma_probabilities: Float[Tensor, "*B N"],
) -> Float[Tensor, "*B N"]:
    """dE[R_C]/dpi_i(u_gamma) for each agent i, Eq. 6.

    Args:
        gamma_probabilities: pi_i(u_gamma) of each agent, ``[*B, N]``.

    Raises:
        ValueError: there are fewer than two agents.
    """
    agents = _team_size(gamma_probabilities)
    others = product_of_others(gamma_probabilities.double())
    return (1 - agents * others) / (agents - 1)


def product_of_others(values: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """The product over all ``j != i``, for every i. It does not divide, so values may be 0.

    Args:
        values: what to multiply, ``[*B, N]``.
    """
    ones = torch.ones_like(values[..., :1])
    shifted_right = torch.cat([ones, values[..., :-1]], dim=-1)
    shifted_left = torch.cat([values[..., 1:], ones], dim=-1)
    before = shifted_right.cumprod(-1)
    after = shifted_left.flip(-1).cumprod(-1).flip(-1)
    return before * after


def others_mean(gamma_probabilities: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """Pi_i, Eq. 8: for every agent the geometric mean of the others' probabilities.

    Args:
        gamma_probabilities: pi_i(u_gamma) of each agent, ``[*B, N]``.

    Raises:
        ValueError: there are fewer than two agents.
    """
    agents = _team_size(gamma_probabilities)
    product = product_of_others(gamma_probabilities.double())
    return product ** (1 / (agents - 1))


def critical_probability(agents: int) -> float:
    """N^(-1/(N-1)), Eq. 9 and 10: an agent should leave u_gamma where Pi_i is above this.

    It is 1/2 for two agents and 0.824 for 15, and it approaches 1.

    Args:
        agents: N.

    Raises:
        ValueError: there are fewer than two agents.
    """
    _check_team_size(agents)
    return float(agents ** (-1 / (agents - 1)))


def epsilon_greedy_probability(epsilon: float, actions: int) -> float:
    """How often epsilon-greedy takes the greedy action: 1 - epsilon + epsilon/n_k.

    Args:
        epsilon: the probability of a random action, the greedy one among them.
        actions: n_k.
    """
    return 1 - epsilon + epsilon / actions


def epsilon_greedy_penalty(epsilon: float, actions: int, agents: int) -> float:
    """P_penalty, Eq. 20: u_gamma is the greedy action of all agents, and all of them take it.

    Args:
        epsilon: the probability of a random action.
        actions: n_k.
        agents: N.
    """
    return epsilon_greedy_probability(epsilon, actions) ** agents


def joint_penalty_probability(joint: JointPolicy, action: int) -> Float[Tensor, "*B"]:
    """P_plt under any coupling: the probability that all agents take u_gamma.

    Under policy resonance it has two parts: eta where all greedy actions are u_gamma, and (1 - eta)
    times Eq. 3 of the corrected policies.

    Args:
        joint: the law of the joint action.
        action: u_gamma.
    """
    penalty = penalty_probability(joint.components[..., action])
    return torch.tensordot(joint.weights.double(), penalty, dims=1)


def joint_expected_reward(joint: JointPolicy, action: int) -> Float[Tensor, "*B"]:
    """E[R_C] under any coupling.

    Args:
        joint: the law of the joint action.
        action: u_gamma.

    Raises:
        ValueError: there are fewer than two agents.
    """
    reward = expected_reward(joint.components[..., action])
    return torch.tensordot(joint.weights.double(), reward, dims=1)


def reward_difference(joint: JointPolicy, action: int) -> Float[Tensor, "*B N"]:
    """E[R_C | u_i = u_gamma] - E[R_C | u_i != u_gamma] of every agent i.

    This is what an agent's own samples tell it. For independent agents it is Eq. 6. Under a shared
    coin the agent's own action also says something about what the others do; that is how resonance
    lets it see the penalty. Where an agent takes u_gamma always or never, there is nothing to
    compare, and the difference is 0.

    Args:
        joint: the law of the joint action.
        action: u_gamma.

    Raises:
        ValueError: there are fewer than two agents.
    """
    taking = joint.components[..., action].double()  # [C, *B, N]
    leaving = 1 - taking
    agents = _team_size(taking)
    weight = joint.weights.double().view(-1, *[1] * (taking.dim() - 1))
    taken = (weight * taking).sum(0)
    left = (weight * leaving).sum(0)
    # In each component the reward for u_gamma, and for another action.
    without = (taking.sum(-1, keepdim=True) - taking) / (agents - 1)
    with_it = without + reward_gradient(taking)
    sum_with = (weight * taking * with_it).sum(0)
    sum_without = (weight * leaving * without).sum(0)
    mean_with = sum_with / torch.where(taken > 0, taken, 1.0)
    mean_without = sum_without / torch.where(left > 0, left, 1.0)
    comparable = (taken > 0) & (left > 0)
    return torch.where(comparable, mean_with - mean_without, 0.0)


def _team_size(probabilities: Tensor) -> int:
    agents = probabilities.shape[-1]
    _check_team_size(agents)
    return agents


def _check_team_size(agents: int) -> None:
    if agents < 2:
        raise ValueError(f"agents: Lv-C needs at least 2, found {agents}")
