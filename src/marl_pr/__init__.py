"""Policy Resonance (PR): a team's exploration made jointly random, every agent's own frequencies
kept.

Usage, in anybody's own training loop, with torch and nothing else::

    from marl_pr import ResonantCategorical

    # logits: [games, agents, actions]
    team = ResonantCategorical(logits=logits, eta=0.5, p_min=0.1)
    actions = team.sample()
    log_prob = team.log_prob(actions)  # of the individual policies

``resonance`` has Eq. 11-18 as functions, ``resonant_categorical`` the distribution, ``coupling``
the coupling of the framework, ``theory`` Eq. 2-10 and 20, ``paper`` what ``marl reproduce`` makes.
What is behind the names here is imported at their first use: `marl --help` finds its command in
this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marl_pr.resonance import draw_coin, resonate
    from marl_pr.resonant_categorical import ResonantCategorical

__all__ = ["ResonantCategorical", "draw_coin", "resonate"]

#: The module of each name.
_MODULES = {
    "ResonantCategorical": "marl_pr.resonant_categorical",
    "draw_coin": "marl_pr.resonance",
    "resonate": "marl_pr.resonance",
}


def __getattr__(name: str) -> object:
    """Import what a name stands for, at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'marl_pr' has no attribute '{name}'")
    found: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
