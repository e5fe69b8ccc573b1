"""The resonance probability over training (Algorithm 1)."""

from __future__ import annotations


def resonance_probability(
    stage_episodes: int, eta_max: float, ramp_episodes: int
) -> float:
    """eta of Algorithm 1: it rises linearly from 0, and then stays.

    Args:
        stage_episodes: episodes of the stage so far, over all ranks.
        eta_max: where it stays.
        ramp_episodes: M_pr, the episodes in which it rises; 0: it is ``eta_max`` at once.
    """
    if ramp_episodes == 0:
        return eta_max
    return eta_max * min(1.0, stage_episodes / ramp_episodes)
