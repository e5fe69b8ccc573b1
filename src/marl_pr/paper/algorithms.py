"""How tables and figures call the algorithms: the values of the label ``algorithm``."""

from __future__ import annotations

from typing import Final, Literal

#: The two ways to train in resonance: PR trains the whole network, PR-Fast only the heads.
Variant = Literal["pr", "pr_fast"]

PPO_MA: Final = "PPO-MA"
PPO_MA_PR: Final = "PPO-MA + PR"
PPO_MA_PR_FAST: Final = "PPO-MA + PR-Fast"

MAPPO: Final = "MAPPO"
MAPPO_PR: Final = "MAPPO + PR"

QMIX: Final = "QMIX"
#: QMIX trained for as long as QMIX + PR, but without resonance.
QMIX_LONGER: Final = "QMIX, as long"
#: The same, with a smaller epsilon in the second stage.
QMIX_LESS_EPSILON: Final = "QMIX, less epsilon"
QMIX_PR: Final = "QMIX + PR"

CONC4HIST: Final = "Conc4Hist"
#: Conc4Hist trained for as long as Conc4Hist + PR, but without resonance.
CONC4HIST_LONGER: Final = "Conc4Hist, as long"
#: The same, with a smaller entropy coefficient in the second stage.
CONC4HIST_LESS_ENTROPY: Final = "Conc4Hist, less entropy"
#: The same, with as many games played greedily as under resonance, and no correction.
CONC4HIST_PRACTICE: Final = "Conc4Hist, greedy games"
#: The same, with heads of the agents' own and nothing else learnt: PR-Fast with an eta of 0, under
#: whose labels its runs are kept.
CONC4HIST_OWN_HEADS: Final = "Conc4Hist, own heads"
#: Both: heads of the agents' own, and as many games played greedily as under resonance.
CONC4HIST_HEADS_PRACTICE: Final = "Conc4Hist, own heads, greedy games"
CONC4HIST_PR: Final = "Conc4Hist + PR"
CONC4HIST_PR_FAST: Final = "Conc4Hist + PR-Fast"

_VARIANTS: dict[Variant, str] = {"pr": "PR", "pr_fast": "PR-Fast"}


def with_resonance(algorithm: str, variant: Variant) -> str:
    """The name of an algorithm after a second stage in resonance.

    Args:
        algorithm: its name before.
        variant: how resonance is trained.
    """
    return f"{algorithm} + {_VARIANTS[variant]}"


def as_long(algorithm: str) -> str:
    """The name of an algorithm after a second stage without resonance.

    Args:
        algorithm: its name before.
    """
    return f"{algorithm}, as long"


def with_less_entropy(algorithm: str) -> str:
    """The name of an algorithm after a second stage with a smaller entropy coefficient.

    Args:
        algorithm: its name before.
    """
    return f"{algorithm}, less entropy"


def with_less_epsilon(algorithm: str) -> str:
    """The name of an algorithm after a second stage with a smaller epsilon.

    Args:
        algorithm: its name before.
    """
    return f"{algorithm}, less epsilon"


def with_greedy_games(algorithm: str, variant: Variant = "pr") -> str:
    """The name of an algorithm after a second stage with whole games played greedily.

    Args:
        algorithm: its name before.
        variant: with ``pr_fast``, every agent has a head of its own.
    """
    heads = ", own heads" if variant == "pr_fast" else ""
    return f"{algorithm}{heads}, greedy games"
