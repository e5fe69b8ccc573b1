"""When a value-based team with epsilon-greedy exploration is trapped (Appendix A.4).

Action values follow an agent's own samples; the trap (u_gamma is everybody's greedy action) reproduces itself where
``1 - epsilon + epsilon/n_k <= N^(-1/(N-1))``, the condition of Eq. 10 turned round.
"""

from __future__ import annotations

from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_probability,
)
from marl_pr.theory.trap import least_dissolving_eta


def critical_epsilon(agents: int, actions: int) -> float:
    """Where epsilon falls below this, the trap is not self-consistent: ``(1 - N^(-1/(N-1))) n_k/(n_k - 1)``.

    Never above 1 but for a team of two with two actions, where it is 1.
    """
    return (1 - critical_probability(agents)) * actions / (actions - 1)


def critical_team_size(
    epsilon: float, actions: int, largest: int = 1_000_000
) -> int | None:
    """N_c: the smallest team in which the trap is self-consistent; None where none up to ``largest`` is.

    The threshold N^(-1/(N-1)) grows with N, so that every larger team is trapped too. Without exploration (epsilon = 0)
    no team is.
    """
    favourite = epsilon_greedy_probability(epsilon, actions)
    if critical_probability(largest) < favourite:
        return None
    low, high = 1, largest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if critical_probability(middle) >= favourite
            else (middle, high)
        )
    return high


def trapped_share_of_annealing(
    agents: int, actions: int, first: float = 1.0, last: float = 0.1
) -> float:
    """During linear annealing from ``first`` to ``last``: the share of it in which the trap is self-consistent."""
    return min(
        max((first - critical_epsilon(agents, actions)) / (first - last), 0.0), 1.0
    )


def least_eta(agents: int, epsilon: float, actions: int) -> float:
    """The resonance probability above which epsilon-greedy agents see that the trap is one; at most 1/N."""
    return least_dissolving_eta(agents, epsilon_greedy_probability(epsilon, actions))
