"""The resonance probability over training (Algorithm 1)."""

from __future__ import annotations


def resonance_probability(
    stage_episodes: int, eta_max: float, ramp_episodes: int
) -> float:
    """eta: 0 at the start of the stage, eta_max after ``ramp_episodes`` (M_pr) episodes and held from there on."""
    if ramp_episodes == 0:
        return eta_max
    return eta_max * min(1.0, stage_episodes / ramp_episodes)
