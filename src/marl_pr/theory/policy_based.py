"""When a policy-based team with entropy regularisation is trapped.

PPO with a team reward climbs, for every agent i, ``E[R_C]/sigma + c_H H(pi_i)``: both terms are means over the same
samples (Eq. 1), and sigma is what the advantages are divided by. Of c_H and sigma only ``cost = sigma * c_H`` matters.
Policies are softmax, with the n_k - 1 other actions alike (entropy makes them so). In a stationary policy

    dE[R_C]/dpi_i(u_gamma) = cost * log_odds(pi_i(u_gamma))                                       (stationary)

with ``log_odds(p) = log[(n_k - 1) p / (1 - p)]``, minus the entropy's derivative. Stability does not depend on the
parametrisation: where the gradient is 0, the Hessians of any two have the same signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from marl_pr.theory.bisection import sign_change
from marl_pr.theory.responsibility import critical_probability

_GRID = 500


def log_odds(probability: float, actions: int) -> float:
    """-dH/dp for a policy that takes one action with ``probability`` and shares the rest equally."""
    return math.log((actions - 1) * probability / (1 - probability))


def probability_of(odds: float, actions: int) -> float:
    """The inverse of ``log_odds``."""
    return 1 / (
        1 + (actions - 1) * math.exp(min(-odds, 700.0))
    )  # beyond that exp overflows


@dataclass(frozen=True)
class EntropyTrap:
    """A team of equal learners with entropy regularisation at one Lv-C.

    Args:
        agents: N, at least 2.
        actions: n_k, at least 2.
        coefficient: c_H, above 0.
        deviation: sigma, by which advantages are divided.
    """

    agents: int
    actions: int
    coefficient: float
    deviation: float = 1.0

    def __post_init__(self) -> None:
        critical_probability(self.agents)
        if self.actions < 2 or self.coefficient <= 0 or self.deviation <= 0:
            raise ValueError(
                f"actions >= 2, coefficient > 0 and deviation > 0 are needed, found {self}"
            )

    @property
    def cost(self) -> float:
        """Sigma c_H, the price of one nat of entropy in reward."""
        return self.coefficient * self.deviation

    def symmetric_point(self) -> float:
        """p*: the one stationary policy that all agents share.

        The reward's gradient falls with p and the entropy's log odds rise, so there is exactly one. p* is never below
        1/n_k, and the log odds are not negative there, so that p* is never above N^(-1/(N-1)): with equal agents Eq. 10
        does not come true at any N, and cannot tell small teams from large ones.
        """

        def push(odds: float) -> float:
            p = probability_of(odds, self.actions)
            return (1 - self.agents * p ** (self.agents - 1)) / (
                self.agents - 1
            ) - self.cost * odds

        found = sign_change(push, 0.0, self._greatest_odds()) if push(0.0) > 0 else 0.0
        return probability_of(found, self.actions)

    def symmetry_breaking(self) -> float:
        """The greater eigenvalue of the Hessian at p*, for agents that move apart (their sum unchanged).

        ``N/(N-1) p^(N-2)/sigma - c_H/(p(1-p))``: above 0, one agent's step back and the others' advance strengthen each
        other and the team negotiates; below 0 it is trapped. All agents together are always stable (there the sum of
        both terms is negative).
        """
        p, n = self.symmetric_point(), self.agents
        return n / (n - 1) * p ** (n - 2) / self.deviation - self.coefficient / (
            p * (1 - p)
        )

    def is_stable(self) -> bool:
        """Whether the symmetric point holds a team: no agent is let go."""
        return self.symmetry_breaking() < 0

    def greatest_probability(self) -> float:
        """The most that any agent can hold pi(u_gamma) up to, whatever the others do.

        The gradient of Eq. 6 is at most 1/(N-1), so ``log_odds(p) <= 1/((N-1) cost)``.
        """
        return probability_of(self._greatest_odds(), self.actions)

    def threshold_in_reach(self) -> bool:
        """The paper's condition (Eq. 10): entropy lets some agent be above N^(-1/(N-1))."""
        return self.greatest_probability() > critical_probability(self.agents)

    def negotiated_point(self) -> tuple[float, float] | None:
        """A stationary policy in which one agent has stepped back: its pi(u_gamma), below 1/n_k, and the others'.

        Where there are several, the one in which the others are surest. None where there is none; so always where
        Eq. 10 is out of reach.
        """
        if not self.threshold_in_reach():
            return None
        lowest = log_odds(critical_probability(self.agents), self.actions)
        grid = map(float, np.linspace(lowest, self._greatest_odds(), _GRID))
        climbing = [odds for odds in grid if self._push_of_others(odds) > 0]
        if not climbing:
            return None
        others = probability_of(
            sign_change(self._push_of_others, climbing[-1], self._greatest_odds()),
            self.actions,
        )
        return self._stepped_back(others), others

    def _greatest_odds(self) -> float:
        """The log odds that no stationary policy exceeds, rounded up."""
        return (1 + 1e-12) / ((self.agents - 1) * self.cost)

    def _stepped_back(self, others: float) -> float:
        """The stationary policy of one agent, given that of the others."""
        gradient = (1 - self.agents * others ** (self.agents - 1)) / (self.agents - 1)
        return probability_of(gradient / self.cost, self.actions)

    def _push_of_others(self, odds: float) -> float:
        others = probability_of(odds, self.actions)
        crossing = self._stepped_back(others) * others ** (self.agents - 2)
        return (1 - self.agents * crossing) / (self.agents - 1) - self.cost * odds


@dataclass(frozen=True)
class CriticalSizes:
    """Team sizes at which policy-based learning changes; None where no team up to the largest one looked at does.

    Attributes:
        trap: N_c, the smallest team whose symmetric point is stable, so that a team which starts there stays.
        no_way_out: the smallest in which no negotiated policy is stationary any more: nobody can step back for good.
        out_of_reach: the smallest in which entropy keeps every agent below N^(-1/(N-1)) (Eq. 10, the paper's argument).
    """

    trap: int | None
    no_way_out: int | None
    out_of_reach: int | None


def critical_sizes(
    actions: int,
    coefficient: float,
    deviation: Callable[[int], float] | float = 1.0,
    largest: int = 100,
) -> CriticalSizes:
    """The three critical sizes, ``trap <= no_way_out <= out_of_reach`` as a rule; sigma may depend on N."""

    @cache
    def trap_of(agents: int) -> EntropyTrap:
        sigma = deviation(agents) if callable(deviation) else deviation
        return EntropyTrap(agents, actions, coefficient, sigma)

    def first(condition: Callable[[EntropyTrap], bool]) -> int | None:
        return next(
            (agents for agents in range(2, largest + 1) if condition(trap_of(agents))),
            None,
        )

    return CriticalSizes(
        trap=first(EntropyTrap.is_stable),
        no_way_out=first(lambda trap: trap.negotiated_point() is None),
        out_of_reach=first(lambda trap: not trap.threshold_in_reach()),
    )
