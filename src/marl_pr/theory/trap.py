"""The trap: u_gamma is every agent's greedy action. What can one agent tell of the penalty?

All agents take u_gamma equally often, by their raw policies with the probability ``favourite``.
The trap is *self-consistent* where each agent's own samples say that u_gamma is the better action.
A learner that follows its samples then stays in the trap.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from marl_pr.resonance import corrected_greedy_probability
from marl_pr.theory.bisection import sign_change
from marl_pr.theory.responsibility import critical_probability


@dataclass(frozen=True)
class TrapSignal:
    """What an agent in the trap sees of its own two choices: u_gamma, or another action.

    Args:
        difference: E[R_C | u_gamma] - E[R_C | not u_gamma]; the trap is self-consistent where this
            is at least 0.
        deviation_taking: standard deviation of R_C when the agent takes u_gamma.
        deviation_leaving: standard deviation of R_C when it takes another action.
        taking: how often it takes u_gamma.
        penalty: P_plt, how often all agents take u_gamma.
    """

    difference: float
    deviation_taking: float
    deviation_leaving: float
    taking: float
    penalty: float

    @property
    def ratio(self) -> float:
        """Signal to noise of one sample: the difference by the deviation within the choices."""
        noise_taking = self.taking * self.deviation_taking**2
        noise_leaving = (1 - self.taking) * self.deviation_leaving**2
        noise = noise_taking + noise_leaving
        return float(self.difference / noise**0.5) if noise > 0 else 0.0

    def episodes(self, standard_errors: float = 2.0) -> float:
        """How many episodes show the difference, under a policy that does not change.

        Args:
            standard_errors: how many standard errors the difference must be away from 0.

        Returns:
            The number of episodes; infinite where there is no difference, or only one choice.
        """
        if self.difference == 0 or self.taking in (0, 1):
            return float("inf")
        spread_taking = self.deviation_taking**2 / self.taking
        spread_leaving = self.deviation_leaving**2 / (1 - self.taking)
        spread = spread_taking + spread_leaving
        return float(standard_errors**2 * spread / self.difference**2)


def corrected(favourite: float, eta: float, p_min: float) -> float:
    """Eq. 18 for one number: how often u_gamma is taken when the team does not resonate.

    Args:
        favourite: pi_i(u_gamma), where u_gamma is the greedy action.
        eta: resonance probability in [0, 1).
        p_min: of Eq. 18.
    """
    if eta == 0:
        return favourite
    greatest = torch.tensor(favourite, dtype=torch.float64)
    probability = torch.tensor(eta, dtype=torch.float64)
    return float(corrected_greedy_probability(greatest, probability, p_min))


def trap_signal(
    agents: int,
    favourite: float,
    eta: float = 0.0,
    p_min: float = 0.0,
) -> TrapSignal:
    """The exact signal for N identical agents that explore independently or in resonance.

    Let c be the corrected probability (Eq. 18), and ``m = eta + (1 - eta) c`` how often u_gamma is
    really taken. Then ``m * difference = c [(1 - eta)(1 - N c^(N-1))/(N-1) - eta]``. With eta = 0
    this is Eq. 6.

    Args:
        agents: N, at least 2.
        favourite: pi_i(u_gamma), the same for all agents, above 0.
        eta: resonance probability in [0, 1); 0 is independent exploration.
        p_min: of Eq. 18.
    """
    c = corrected(favourite, eta, p_min)
    share = 1 / (agents - 1)
    taking = eta + (1 - eta) * c
    alone = (1 - eta) * c / taking  # P(not resonated | u_gamma)
    crossing = c ** (agents - 1)  # P(all others on u_gamma | not resonated)
    # The number S of others on u_gamma is binomial. The agent earns (1 + S)/(N-1), but nothing
    # where S = N-1.
    mean_taking = alone * (share + c - agents * share * crossing)
    variance_others = c * (1 - c) * share
    penalty_square = (agents * share) ** 2 * crossing
    square_taking = alone * (variance_others + (share + c) ** 2 - penalty_square)
    return TrapSignal(
        difference=mean_taking - c,
        deviation_taking=max(square_taking - mean_taking**2, 0.0) ** 0.5,
        deviation_leaving=variance_others**0.5,
        taking=taking,
        penalty=eta + (1 - eta) * c**agents,
    )


def policy_pull(
    agents: int,
    favourite: float,
    eta: float = 0.0,
    p_min: float = 0.0,
) -> float:
    """The policy gradient ``d/dp sum_u m(u) A(u) log pi(u)`` of one agent in the trap.

    Below 0, it lets the agent go. Here m says how often the agent really takes each action, and p
    is its raw policy; the two differ where the clamp of Eq. 18 is active. The pull is
    ``m (1 - m)/(p (1 - p))`` times the difference in ``trap_signal``. Without resonance it is
    Eq. 6. On the clamp it falls with p_min: with c = p_min,
    ``p (1 - p) pull = (1-eta) c (1-c) [(1-eta)(1 - N c^(N-1))/(N-1) - eta]``.

    Args:
        agents: N, at least 2.
        favourite: p = pi_i(u_gamma), the same for all agents, strictly between 0 and 1.
        eta: resonance probability in [0, 1).
        p_min: of Eq. 18.
    """
    signal = trap_signal(agents, favourite, eta, p_min)
    really = signal.taking * (1 - signal.taking)
    raw = favourite * (1 - favourite)
    return really / raw * signal.difference


def least_dissolving_eta(agents: int, favourite: float, p_min: float = 0.0) -> float:
    """The resonance probability above which the trap is not self-consistent.

    With ``t = eta/(1-eta)``, the difference in ``trap_signal`` has the sign of
    ``1 - N c^(N-1) - (N-1) t``. As ``c = max(p_min, pi - (1-pi) t)``, this is concave in t. At
    t = 0 it is at least 0, or it does not rise there; so its sign changes once. At eta = 1/N it is
    never above 0, whatever the policies are, so the answer is at most 1/N.

    There is a difference at all only where c is above 0: eta < pi, or p_min > 0.

    Args:
        agents: N, at least 2.
        favourite: pi_i(u_gamma), the same for all agents.
        p_min: of Eq. 18.

    Returns:
        The smallest such eta; 0 where the trap is self-consistent at no eta.
    """
    if favourite > critical_probability(agents):
        return 0.0

    def push_to_stay(odds: float) -> float:
        c = corrected(favourite, odds / (1 + odds), p_min)
        return 1 - agents * c ** (agents - 1) - (agents - 1) * odds

    if push_to_stay(0.0) <= 0:
        return 0.0
    greatest = (1 + 1e-12) / (agents - 1)  # eta = 1/N, rounded up
    odds = sign_change(push_to_stay, 0.0, greatest)
    return odds / (1 + odds)
