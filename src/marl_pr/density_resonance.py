"""Eq. 11-17 where actions are numbers and policies are densities; torch is all that is needed.

The greedy action of Eq. 14 has no mass under a density, so a team that always took it in resonance
could not keep Eq. 16 whatever it did otherwise. In its place stands a *core* around it: the
highest-density region of mass m. An action's rank v, the mass of the highest-density region on
whose border it lies, is uniform in [0, 1] under the agent's own policy. With probability eta the
whole team resonates, and every agent draws v uniform in [0, m]. Otherwise an agent lies in the core
with probability (m - eta) / (1 - eta), and is uniform in and uniform out of it. Over both cases v
is uniform again: that is Eq. 16, exactly, for any policy and any eta::

    in the core      eta / m + (1 - eta) (m - eta) / (1 - eta) / m   = 1
    out of it                  (1 - eta) (1 - m) / (1 - eta) / (1 - m) = 1

With m = eta nothing of the core is left outside of resonance (Eq. 17). With p_min > 0 the core is
m = eta + (1 - eta) p_min: then an agent lies in it with probability p_min outside of resonance
(Eq. 18), and here that costs nothing of Eq. 16. As m falls to 0 what is drawn in the core becomes
the greedy action.
"""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.densities.agents import Densities
from marl_core.densities.law import (
    DensityLaw,
    RankLaw,
)
from marl_core.shapes import Float
from marl_pr.given_policies import (
    as_eta,
    check_p_min,
)
from marl_pr.resonance import coin_weights


def core_mass(eta: Float[Tensor, "*G"], p_min: float) -> Float[Tensor, "*G"]:
    """m, the mass of the core from which a team draws in resonance.

    Args:
        eta: resonance probability in [0, 1].
        p_min: probability of the core when not resonated, in [0, 1).
    """
    return eta + (1 - eta) * p_min


def resonant_ranks(eta: Float[Tensor, "*G"], p_min: float) -> RankLaw:
    """The law of each agent's rank: not in resonance, and in resonance.

    Args:
        eta: resonance probability in [0, 1]: one for all games, or one for each.
        p_min: probability of the core when not resonated, in [0, 1).
    """
    core = core_mass(eta, p_min)
    # (m - eta) / (1 - eta), which is p_min for every eta.
    outside = torch.full_like(core, p_min)
    inside = torch.stack([outside, torch.ones_like(core)], -1)
    return RankLaw(torch.stack([core, core], -1), inside)


def resonate_densities(
    individual: Densities,
    eta: Float[Tensor, "*G"] | float,
    p_min: float,
    *,
    validate: bool = True,
) -> DensityLaw:
    """The resonant law of a team whose agents' policies are densities (Eq. 11).

    A learner's log-probability is the individual density, ``individual.log_density(actions)``,
    whatever the coin says.

    Args:
        individual: each agent's own policy.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*E]``.
        p_min: probability of the core when not resonated, in [0, 1).
        validate: whether the values given are looked at, which waits for the device.

    Raises:
        ArgumentError: eta or p_min is out of its range.
    """
    if validate:
        check_p_min(p_min)
    eta = as_eta(eta, individual.mode(), validate=validate)
    return DensityLaw(
        individual,
        coin_weights(eta),
        resonant_ranks(eta, p_min),
    )
