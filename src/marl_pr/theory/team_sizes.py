"""The team sizes at which policy-based learning changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from marl_pr.theory.policy_based import EntropyTrap


@dataclass(frozen=True)
class CriticalSizes:
    """Team sizes at which policy-based learning changes; None where no size does.

    Args:
        trap: N_c, the smallest team whose symmetric point is stable: a team that starts there
            stays there.
        no_way_out: the smallest team in which no negotiated policy is stationary, so that no agent
            can step back for good.
        out_of_reach: the smallest team in which entropy keeps every agent below N^(-1/(N-1))
            (Eq. 10, the paper's argument).
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
    """Find the three critical sizes; as a rule ``trap <= no_way_out <= out_of_reach``.

    Args:
        actions: n_k.
        coefficient: c_H, the entropy coefficient.
        deviation: sigma, or a function from N to sigma.
        largest: the largest team that is looked at.
    """

    @cache
    def trap_of(agents: int) -> EntropyTrap:
        sigma = deviation(agents) if callable(deviation) else deviation
        return EntropyTrap(agents, actions, coefficient, sigma)

    def first(condition: Callable[[EntropyTrap], bool]) -> int | None:
        for agents in range(2, largest + 1):
            if condition(trap_of(agents)):
                return agents
        return None

    return CriticalSizes(
        trap=first(EntropyTrap.is_stable),
        no_way_out=first(_has_no_way_out),
        out_of_reach=first(_is_out_of_reach),
    )


def _has_no_way_out(trap: EntropyTrap) -> bool:
    return trap.negotiated_point() is None


def _is_out_of_reach(trap: EntropyTrap) -> bool:
    return not trap.threshold_in_reach()
