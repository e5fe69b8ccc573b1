"""When a value-based team with epsilon-greedy exploration is trapped (Appendix A.4).

Action values follow an agent's own samples. The trap, in which u_gamma is every agent's greedy
action, reproduces itself where ``1 - epsilon + epsilon/n_k <= N^(-1/(N-1))``: where the condition
of Eq. 10 does not hold.
"""

from __future__ import annotations

from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_probability,
)
from marl_pr.theory.trap import least_dissolving_eta


def critical_epsilon(agents: int, actions: int) -> float:
    """The epsilon below which the trap is not self-consistent.

    It is ``(1 - N^(-1/(N-1))) n_k/(n_k - 1)``, and at most 1; 1 only for two agents with two
    actions.

    Args:
        agents: N, at least 2.
        actions: n_k, at least 2.
    """
    return (1 - critical_probability(agents)) * actions / (actions - 1)


def critical_team_size(
    epsilon: float,
    actions: int,
    largest: int = 1_000_000,
) -> int | None:
    """N_c: the smallest team in which the trap is self-consistent.

    The threshold N^(-1/(N-1)) grows with N, so every larger team is trapped too. Without
    exploration (epsilon = 0) no team is.

    Args:
        epsilon: the probability of a random action.
        actions: n_k, at least 2.
        largest: the largest team that is looked at.

    Returns:
        N_c, or None where no team up to ``largest`` is trapped.
    """
    favourite = epsilon_greedy_probability(epsilon, actions)
    if critical_probability(largest) < favourite:
        return None
    low = 1
    high = largest
    while high - low > 1:
        middle = (low + high) // 2
        if critical_probability(middle) >= favourite:
            high = middle
        else:
            low = middle
    return high


def trapped_share_of_annealing(
    agents: int,
    actions: int,
    first: float = 1.0,
    last: float = 0.1,
) -> float:
    """The share of a linear annealing during which the trap is self-consistent.

    Args:
        agents: N, at least 2.
        actions: n_k, at least 2.
        first: epsilon at the start.
        last: epsilon at the end, below ``first``.
    """
    share = (first - critical_epsilon(agents, actions)) / (first - last)
    return min(max(share, 0.0), 1.0)


def least_eta(agents: int, epsilon: float, actions: int) -> float:
    """The resonance probability above which epsilon-greedy agents see that u_gamma is a trap.

    Args:
        agents: N, at least 2.
        epsilon: the probability of a random action.
        actions: n_k, at least 2.

    Returns:
        The smallest such eta, at most 1/N.
    """
    favourite = epsilon_greedy_probability(epsilon, actions)
    return least_dissolving_eta(agents, favourite)
