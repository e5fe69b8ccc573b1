"""Policy Resonance (PR): a team's exploration made jointly random, every agent's own frequencies kept."""

from marl_pr.resonance import clamp_acts, resonate
from marl_pr.strategy import PolicyResonance, PolicyResonanceConfig

__all__ = ["PolicyResonance", "PolicyResonanceConfig", "clamp_acts", "resonate"]
