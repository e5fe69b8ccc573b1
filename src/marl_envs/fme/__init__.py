"""Fast Multi-agent Evaluation (Section 2.2): a sequence of single-step team problems."""

from marl_envs.fme.config import FMEConfig
from marl_envs.fme.environment import FME

__all__ = ["FME", "FMEConfig"]
