"""Eq. 11-18 of the paper as pure functions.

With probability eta the whole team resonates: every agent takes its most probable action (Eq. 14,
15). Otherwise each agent draws, independently (Eq. 13), from a corrected policy (Eq. 17, 18), made
such that over both cases it takes each action as often as its raw policy says (Eq. 16).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.joint_policy import JointPolicy, greedy_actions

#: The two components of a resonant joint policy.
NOT_RESONATED, RESONATED = 0, 1


def corrected_greedy_probability(
    greatest: Float[Tensor, "*B"], eta: Float[Tensor, ""], p_min: float
) -> Float[Tensor, "*B"]:
    """pi'_i(u*|not resonated), first line of Eq. 18: max[p_min, (pi_i(u*) - eta)/(1 - eta)].

    It is 1 where pi_i(u*) is 1: an agent that never explores is not made to. It is never above 1,
    by rounding either.

    Args:
        greatest: pi_i(u*), the probability of each agent's greedy action, ``[*B]``.
        eta: resonance probability in [0, 1).
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    exact = (greatest - eta) / (1 - eta)
    return exact.clamp(min=p_min, max=1.0)


def corrected_policy(
    individual: Float[Tensor, "*B N A"], eta: Float[Tensor, ""], p_min: float
) -> Float[Tensor, "*B N A"]:
    """pi'_i(u|not resonated) of Eq. 18, for every action.

    The greedy action gets ``corrected_greedy_probability``; all others are scaled alike to fill up
    to 1. Illegal actions keep probability 0. Without resonance (eta = 0) every policy stays as it
    is. As the equation is printed, a greedy probability below p_min jumps to p_min as soon as eta
    is above 0, however little.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1.
        eta: resonance probability in [0, 1).
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    greedy = greedy_actions(individual).unsqueeze(-1)
    greatest = individual.gather(-1, greedy)
    corrected = corrected_greedy_probability(greatest, eta, p_min)
    # Summed, not 1 - greatest: in floating point the two differ, and where nothing is left both
    # must be 0.
    others = individual.scatter(-1, greedy, 0.0)
    rest = others.sum(-1, keepdim=True)
    corrected = torch.where(rest > 0, corrected, 1.0)
    divisor = torch.where(rest > 0, rest, 1.0)
    scaled = others * ((1 - corrected) / divisor)
    resonant = scaled.scatter(-1, greedy, corrected)
    return torch.where(eta > 0, resonant, individual)


def resonate(
    individual: Float[Tensor, "*B N A"], eta: Float[Tensor, ""], p_min: float
) -> JointPolicy:
    """The resonant joint policy pi' of Eq. 11: a team-wide coin between Eq. 13 and Eq. 15.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1.
        eta: resonance probability in [0, 1).
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    components = resonant_components(individual, eta, p_min)
    return JointPolicy(individual, components, coin_weights(eta))


def resonant_components(
    individual: Float[Tensor, "*B N A"], eta: Float[Tensor, ""], p_min: float
) -> Float[Tensor, "2 *B N A"]:
    """The corrected policies of Eq. 13 and 18, and the greedy ones of Eq. 15.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1.
        eta: resonance probability in [0, 1).
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    corrected = corrected_policy(individual, eta, p_min)
    return torch.stack([corrected, greedy_policies(individual)])


def greedy_policies(individual: Float[Tensor, "*B N A"]) -> Float[Tensor, "*B N A"]:
    """Eq. 14: every agent's most probable action, with probability 1.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.
    """
    greedy = greedy_actions(individual).unsqueeze(-1)
    return torch.zeros_like(individual).scatter(-1, greedy, 1.0)


def coin_weights(eta: Float[Tensor, ""]) -> Float[Tensor, "2"]:
    """P(not resonated) and P(resonated) = eta.

    Args:
        eta: resonance probability in [0, 1).
    """
    return torch.stack([1 - eta, eta])


def clamp_acts(
    individual: Float[Tensor, "*B N A"], eta: Float[Tensor, ""], p_min: float
) -> Bool[Tensor, "*B N"]:
    """Where Eq. 18 departs from Eq. 17, so that Eq. 16 no longer holds.

    That is where (pi_i(u*) - eta)/(1 - eta) < p_min.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.
        eta: resonance probability in [0, 1).
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    exact = (individual.amax(-1) - eta) / (1 - eta)
    resonates = eta > 0
    return resonates & (exact < p_min)
