"""The trap: every agent's favourite is u_gamma, and what one of them can tell of the penalty.

All agents take u_gamma equally often, ``favourite`` (as raw policies). The trap is *self-consistent* where each agent's
own samples say that u_gamma is the better action, so that a learner which follows them stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from marl_pr.resonance import corrected_greedy_probability
from marl_pr.theory.bisection import sign_change
from marl_pr.theory.responsibility import critical_probability


@dataclass(frozen=True)
class TrapSignal:
    """What an agent in the trap sees of its own two choices: u_gamma, or anything else."""

    difference: float  # E[R_C | u_gamma] - E[R_C | not u_gamma]; the trap is self-consistent where it is >= 0
    deviation_taking: float  # standard deviation of R_C when it takes u_gamma
    deviation_leaving: float  # and when it does not
    taking: float  # how often it takes u_gamma
    penalty: float  # P_plt

    @property
    def ratio(self) -> float:
        """The signal over the noise of one sample: the difference over the standard deviation within the choices."""
        noise = (
            self.taking * self.deviation_taking**2
            + (1 - self.taking) * self.deviation_leaving**2
        )
        return float(self.difference / noise**0.5) if noise > 0 else 0.0

    def episodes(self, standard_errors: float = 2.0) -> float:
        """Episodes until the difference is that many standard errors from 0, under an unchanging policy."""
        if self.difference == 0 or self.taking in (0, 1):
            return float("inf")
        spread = self.deviation_taking**2 / self.taking + self.deviation_leaving**2 / (
            1 - self.taking
        )
        return float(standard_errors**2 * spread / self.difference**2)


def corrected(favourite: float, eta: float, p_min: float) -> float:
    """Eq. 18 for one number: how often the favourite is taken when the team does not resonate."""
    if eta == 0:
        return favourite
    greatest, probability = (
        torch.tensor(x, dtype=torch.float64) for x in (favourite, eta)
    )
    return float(corrected_greedy_probability(greatest, probability, p_min))


def trap_signal(
    agents: int, favourite: float, eta: float = 0.0, p_min: float = 0.0
) -> TrapSignal:
    """The signal for N equal agents, exact, under independent exploration (eta = 0) or policy resonance.

    With c the corrected probability (Eq. 18) and m = eta + (1 - eta) c how often u_gamma is really taken,
    ``m * difference = c [(1 - eta)(1 - N c^(N-1))/(N-1) - eta]``; with eta = 0 this is Eq. 6.

    Args:
        agents: N, at least 2.
        favourite: pi_i(u_gamma), the same for all agents, above 0.
        eta: resonance probability in [0, 1).
        p_min: of Eq. 18.
    """
    c, share = corrected(favourite, eta, p_min), 1 / (agents - 1)
    taking = eta + (1 - eta) * c
    alone = (1 - eta) * c / taking  # P(not resonated | u_gamma)
    crossing = c ** (agents - 1)  # all others on u_gamma, not resonated
    # The others' sum S is binomial; the agent earns (1 + S)/(N-1), but nothing where S = N-1.
    mean_taking = alone * (share + c - agents * share * crossing)
    variance_others = c * (1 - c) * share
    square_taking = alone * (
        variance_others + (share + c) ** 2 - (agents * share) ** 2 * crossing
    )
    return TrapSignal(
        difference=mean_taking - c,
        deviation_taking=max(square_taking - mean_taking**2, 0.0) ** 0.5,
        deviation_leaving=variance_others**0.5,
        taking=taking,
        penalty=eta + (1 - eta) * c**agents,
    )


def policy_pull(
    agents: int, favourite: float, eta: float = 0.0, p_min: float = 0.0
) -> float:
    """The policy gradient ``d/dp sum_u m(u) A(u) log pi(u)`` of one agent in the trap; below 0 it is let go.

    m is how often it really takes each action, p its raw policy (below 1): they differ where the clamp of Eq. 18 acts.
    It is ``m (1 - m)/(p (1 - p))`` times the difference in ``trap_signal``; without resonance it is Eq. 6. On the clamp
    it goes down with p_min: ``p (1 - p) pull = (1-eta) c (1-c) [(1-eta)(1 - N c^(N-1))/(N-1) - eta]`` with c = p_min.
    """
    signal = trap_signal(agents, favourite, eta, p_min)
    really = signal.taking * (1 - signal.taking)
    return really / (favourite * (1 - favourite)) * signal.difference


def least_dissolving_eta(agents: int, favourite: float, p_min: float = 0.0) -> float:
    """The resonance probability above which the trap is not self-consistent; 0 where it never is.

    The sign of ``trap_signal(...).difference`` is that of ``1 - N c^(N-1) - (N-1) t`` with ``t = eta/(1-eta)``. As
    ``c = max(p_min, pi - (1-pi) t)``, this is concave in t and at t = 0 it is at least 0 or does not rise: it changes
    sign once. At eta = 1/N it is never above 0, whatever the policies, so the answer is at most 1/N.

    Only where c is above 0 is there a difference at all: eta < pi, or p_min > 0.
    """
    if favourite > critical_probability(agents):
        return 0.0

    def still_trapped(odds: float) -> float:
        c = corrected(favourite, odds / (1 + odds), p_min)
        return 1 - agents * c ** (agents - 1) - (agents - 1) * odds

    if still_trapped(0.0) <= 0:
        return 0.0
    odds = sign_change(still_trapped, 0.0, (1 + 1e-12) / (agents - 1))  # rounded up
    return odds / (1 + odds)
