"""Asymmetric Decentralized Collective Assault (Section 2.2, Appendix A.3): a team against a larger, scripted one.

Letters of the shapes beside the project's own: ``N`` guards (the learning team), ``H`` attackers (hostile, scripted),
``P = N + H`` fighters, guards first; ``G`` squads of the attackers. Lengths are in the arena's units, angles in
radians, and a unit of time is ten steps. docs/environments/adca.md has the rules.
"""

from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.environment import ADCA

__all__ = ["ADCA", "ADCAConfig"]
