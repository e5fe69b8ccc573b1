"""Asymmetric Decentralized Collective Assault (Section 2.2, Appendix A.3).

A learning team fights a larger, scripted team. ``docs/environments/adca.md`` has the rules.

Letters of the shapes beside the project's own:

- ``N``: guards, the learning team.
- ``H``: attackers, the hostile and scripted team.
- ``P = N + H``: all fighters; the guards come first.
- ``G``: squads of attackers.

Lengths are in the arena's units, angles in radians, and one unit of time is ten steps.
"""

from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.environment import ADCA

__all__ = ["ADCA", "ADCAConfig"]
