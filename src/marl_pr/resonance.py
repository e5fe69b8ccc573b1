"""Eq. 11-18 of the paper as pure functions, for which torch is all that is needed.

With probability eta the whole team resonates: every agent takes its most probable action (Eq. 14,
15). Otherwise each agent draws, independently (Eq. 13), from a corrected policy (Eq. 17, 18), made
such that over both cases it takes each action as often as its raw policy says (Eq. 16).

Usage, in anybody's own training loop::

    individual = logits.softmax(-1)                             # [E, N, A]
    law = resonate(individual, eta=0.5, p_min=0.1)
    coin = draw_coin(0.5, games=len(individual))                # [E], for an episode or a step
    actions = law.sampler().draw(coin.long(), generator=None)   # [E, N]
    log_prob = individual.log().gather(-1, actions.unsqueeze(-1)).squeeze(-1)

The log-probability that a learner stores is the *individual* policy's, as in the last line,
whatever the coin says: by Eq. 16 that is how often the agent takes the action. Of the corrected
policy it would divide by zero where the team resonated, and bend the policy gradient elsewhere.
``marl_pr.resonant_categorical`` has all of this as a ``torch.distributions.Distribution``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.rng import uniform
from marl_core.shapes import Bool, Float
from marl_pr.given_policies import (
    ArgumentError,
    as_eta,
    check_p_min,
    check_policies,
    normalised,
)

#: The two components of a resonant joint policy.
NOT_RESONATED, RESONATED = 0, 1


def corrected_greedy_probability(
    greatest: Float[Tensor, "*B"], eta: Float[Tensor, "*G"], p_min: float
) -> Float[Tensor, "*B"]:
    """pi'_i(u*|not resonated), first line of Eq. 18: max[p_min, (pi_i(u*) - eta)/(1 - eta)].

    It is 1 where pi_i(u*) is 1: an agent that never explores is not made to. It is never above 1,
    by rounding either.

    Args:
        greatest: pi_i(u*), the probability of each agent's greedy action, ``[*B]``.
        eta: resonance probability in [0, 1], of a shape that broadcasts against ``greatest``.
        p_min: least probability of the greedy action when not resonated, in [0, 1).
    """
    return _eq_17(greatest, eta).clamp(min=p_min, max=1.0)


def corrected_policy(
    individual: Float[Tensor, "*B N A"],
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
    *,
    validate: bool = True,
) -> Float[Tensor, "*B N A"]:
    """pi'_i(u|not resonated) of Eq. 18, for every action.

    The greedy action gets ``corrected_greedy_probability``; all others are scaled alike to fill up
    to 1. Illegal actions keep probability 0. Without resonance (eta = 0) every policy stays as it
    is. As the equation is printed, a greedy probability below p_min jumps to p_min as soon as eta
    is above 0, however little.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1. Those in half precision
            are corrected in single precision.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*B]``. With
            eta = 1 a team is never out of resonance, and Eq. 18 is taken at its clamp.
        p_min: least probability of the greedy action when not resonated, in [0, 1).
        validate: whether the values given are looked at, which waits for the device.

    Raises:
        ArgumentError: the policies are no probabilities, or eta or p_min is out of its range.
    """
    individual, eta = _looked_at(individual, eta, p_min, validate)
    eta = _beside(eta, individual)
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
    individual: Float[Tensor, "*B N A"],
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
    *,
    validate: bool = True,
) -> JointPolicy:
    """The resonant joint policy pi' of Eq. 11: a team-wide coin between Eq. 13 and Eq. 15.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*B]``.
        p_min: least probability of the greedy action when not resonated, in [0, 1).
        validate: whether the values given are looked at, which waits for the device.

    Raises:
        ArgumentError: the policies are no probabilities, or eta or p_min is out of its range.
    """
    individual, eta = _looked_at(individual, eta, p_min, validate)
    components = resonant_components(individual, eta, p_min, validate=False)
    return JointPolicy(individual, components, coin_weights(eta))


def resonant_components(
    individual: Float[Tensor, "*B N A"],
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
    *,
    validate: bool = True,
) -> Float[Tensor, "2 *B N A"]:
    """The corrected policies of Eq. 13 and 18, and the greedy ones of Eq. 15.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``, rows summing to 1.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*B]``.
        p_min: least probability of the greedy action when not resonated, in [0, 1).
        validate: whether the values given are looked at, which waits for the device.

    Raises:
        ArgumentError: the policies are no probabilities, or eta or p_min is out of its range.
    """
    corrected = corrected_policy(individual, eta, p_min, validate=validate)
    return torch.stack([corrected, greedy_policies(normalised(individual))])


def greedy_policies(individual: Float[Tensor, "*B N A"]) -> Float[Tensor, "*B N A"]:
    """Eq. 14: every agent's most probable action, with probability 1.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.
    """
    greedy = greedy_actions(individual).unsqueeze(-1)
    return torch.zeros_like(individual).scatter(-1, greedy, 1.0)


def coin_weights(eta: Float[Tensor, "*G"]) -> Float[Tensor, "*G 2"]:
    """P(not resonated) and P(resonated) = eta.

    Args:
        eta: resonance probability in [0, 1]: one for all games, or one for each.
    """
    return torch.stack([1 - eta, eta], dim=-1)


def draw_coin(
    eta: Float[Tensor, "*G"] | float,
    games: int | tuple[int, ...],
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "*E"]:
    """The team's coin: one for each game, which all its agents share.

    Draw it at the start of an episode and keep it to the end, or at every step (Fig. 2).

    Args:
        eta: resonance probability in [0, 1]: one for all games, or one for each.
        games: E, how many games, or their axes.
        generator: randomness; None: torch's own.
        device: where the coin is wanted, without a generator; None: where eta is.

    Returns:
        Which games resonate, ``[E]``.

    Raises:
        ArgumentError: eta's axes are no last axes of the games.
    """
    shape = (games,) if isinstance(games, int) else tuple(games)
    if isinstance(eta, Tensor):
        device = eta.device if device is None else device
        if eta.shape != shape[len(shape) - eta.dim() :]:
            found = f"eta of shape {list(eta.shape)}"
            raise ArgumentError(f"{found} is not one for each of {list(shape)} games")
    place = None if device is None else torch.device(device)
    return uniform(shape, generator, place) < eta


def clamp_acts(
    individual: Float[Tensor, "*B N A"],
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
) -> Bool[Tensor, "*B N"]:
    """Where Eq. 18 departs from Eq. 17, so that Eq. 16 no longer holds.

    That is where (pi_i(u*) - eta)/(1 - eta) < p_min; with eta = 1, where an agent explores at all.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*B]``.
        p_min: least probability of the greedy action when not resonated, in [0, 1).

    Raises:
        ArgumentError: the policies are no probabilities, or eta or p_min is out of its range.
    """
    individual, eta = _looked_at(individual, eta, p_min, validate=True)
    eta = _beside(eta, individual).squeeze(-1) if eta.dim() > 0 else eta
    exact = _eq_17(individual.amax(-1), eta)
    return (eta > 0) & (exact < p_min)


def _looked_at(
    individual: Float[Tensor, "*B N A"],
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
    validate: bool,
) -> tuple[Float[Tensor, "*B N A"], Float[Tensor, "*G"]]:
    """Policies in at least single precision, and eta as a tensor."""
    if validate:
        check_policies(individual)
        check_p_min(p_min)
    individual = normalised(individual)
    return individual, as_eta(eta, individual, validate=validate)


def _beside(
    eta: Float[Tensor, "*G"], individual: Float[Tensor, "*B N A"]
) -> Float[Tensor, "*H"]:
    """Eta with axes of size 1 for agents and actions."""
    return eta if eta.dim() == 0 else eta.view(*individual.shape[:-2], 1, 1)


def _eq_17(
    greatest: Float[Tensor, "*B"], eta: Float[Tensor, "*G"]
) -> Float[Tensor, "*B"]:
    """(pi_i(u*) - eta)/(1 - eta), and with eta = 1 its limits: 1 of a certain policy, below 0 of
    any other.
    """
    divisor = torch.where(eta < 1, 1 - eta, 1.0)
    exact = (greatest - eta) / divisor
    return torch.where(greatest >= 1, 1.0, exact)
