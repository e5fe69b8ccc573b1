"""When a policy-based team with entropy regularisation is trapped.

PPO with a team reward climbs, for every agent i, ``E[R_C]/sigma + c_H H(pi_i)``. Both terms are
means over the same samples (Eq. 1), and sigma is what the advantages are divided by. Only the
product ``cost = sigma * c_H`` matters. Policies are softmax, and the n_k - 1 other actions have
equal probabilities (entropy makes them so). In a stationary policy

    dE[R_C]/dpi_i(u_gamma) = cost * log_odds(pi_i(u_gamma))                  (stationary)

with ``log_odds(p) = log[(n_k - 1) p / (1 - p)]``, minus the derivative of the entropy. Stability
does not depend on the parametrisation: where the gradient is 0, the Hessians of any two
parametrisations have the same signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_pr.theory.bisection import sign_change
from marl_pr.theory.log_odds import log_odds, probability_of
from marl_pr.theory.responsibility import critical_probability

#: At how many places ``negotiated_point`` looks for a sign change.
_GRID = 500


@dataclass(frozen=True)
class EntropyTrap:
    """A team of identical learners with entropy regularisation at one Lv-C level.

    Args:
        agents: N, at least 2.
        actions: n_k, at least 2.
        coefficient: c_H, the entropy coefficient, above 0.
        deviation: sigma, by which advantages are divided, above 0.

    Raises:
        ValueError: an argument is out of its range.
    """

    agents: int
    actions: int
    coefficient: float
    deviation: float = 1.0

    def __post_init__(self) -> None:
        critical_probability(self.agents)
        if self.actions < 2 or self.coefficient <= 0 or self.deviation <= 0:
            raise ValueError(
                "actions >= 2, coefficient > 0 and deviation > 0 are needed, "
                f"found {self}"
            )

    @property
    def cost(self) -> float:
        """Sigma c_H, the price of one nat of entropy in reward."""
        return self.coefficient * self.deviation

    def symmetric_point(self) -> float:
        """p*: pi(u_gamma) in the one stationary policy that all agents share.

        The gradient of the reward falls with p and the log odds rise, so there is exactly one such
        policy. p* is never below 1/n_k. The log odds are not negative there, so p* is never above
        N^(-1/(N-1)). With identical agents Eq. 10 therefore holds at no N, and cannot tell small
        teams from large ones.
        """
        odds = 0.0
        if self._shared_push(odds) > 0:
            odds = sign_change(self._shared_push, 0.0, self._greatest_odds())
        return probability_of(odds, self.actions)

    def symmetry_breaking(self) -> float:
        """The eigenvalue of the Hessian at p* for agents that move apart, their sum unchanged.

        It is ``N/(N-1) p^(N-2)/sigma - c_H/(p(1-p))``, the largest eigenvalue. Above 0, one agent's
        step back and the others' step forward strengthen each other, and the team negotiates.
        Below 0, the team is trapped. The direction in which all agents move together is always
        stable, because the sum of both terms is negative there.
        """
        p = self.symmetric_point()
        n = self.agents
        reward = n / (n - 1) * p ** (n - 2) / self.deviation
        entropy = self.coefficient / (p * (1 - p))
        return reward - entropy

    def is_stable(self) -> bool:
        """Whether a team at the symmetric point stays there."""
        return self.symmetry_breaking() < 0

    def greatest_probability(self) -> float:
        """The largest pi(u_gamma) that any agent can hold, whatever the others do.

        The gradient of Eq. 6 is at most 1/(N-1), so ``log_odds(p) <= 1/((N-1) cost)``.
        """
        return probability_of(self._greatest_odds(), self.actions)

    def threshold_in_reach(self) -> bool:
        """The paper's condition (Eq. 10): entropy lets some agent be above N^(-1/(N-1))."""
        return self.greatest_probability() > critical_probability(self.agents)

    def negotiated_point(self) -> tuple[float, float] | None:
        """A stationary policy in which one agent has stepped back.

        Returns:
            pi(u_gamma) of the agent that has stepped back, which is below 1/n_k, and pi(u_gamma) of
            each other agent. Where there are several such policies, the one with the largest
            probability for the others. None where there is none, which is always so where Eq. 10 is
            out of reach.
        """
        if not self.threshold_in_reach():
            return None
        greatest = self._greatest_odds()
        lowest = log_odds(critical_probability(self.agents), self.actions)
        grid = map(float, np.linspace(lowest, greatest, _GRID))
        climbing = [odds for odds in grid if self._push_of_others(odds) > 0]
        if not climbing:
            return None
        odds = sign_change(self._push_of_others, climbing[-1], greatest)
        others = probability_of(odds, self.actions)
        return self._stepped_back(others), others

    def _greatest_odds(self) -> float:
        """The log odds that no stationary policy exceeds, rounded up."""
        return (1 + 1e-12) / ((self.agents - 1) * self.cost)

    def _shared_push(self, odds: float) -> float:
        """How strongly an agent is driven to larger log odds when all agents have ``odds``."""
        p = probability_of(odds, self.actions)
        return self._gradient(p ** (self.agents - 1)) - self.cost * odds

    def _push_of_others(self, odds: float) -> float:
        """The same for the agents that have ``odds`` when one other agent has stepped back."""
        others = probability_of(odds, self.actions)
        crossing = self._stepped_back(others) * others ** (self.agents - 2)
        return self._gradient(crossing) - self.cost * odds

    def _stepped_back(self, others: float) -> float:
        """The stationary pi(u_gamma) of one agent, given that of all the others."""
        gradient = self._gradient(others ** (self.agents - 1))
        return probability_of(gradient / self.cost, self.actions)

    def _gradient(self, others_all: float) -> float:
        """Eq. 6, from the probability that all other agents take u_gamma."""
        return (1 - self.agents * others_all) / (self.agents - 1)
