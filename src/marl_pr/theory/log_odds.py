"""Log odds of a policy that takes one action with its own probability and all others alike."""

from __future__ import annotations

import math

#: The exponential function of a larger number overflows.
_LARGEST_EXPONENT = 700.0


def log_odds(probability: float, actions: int) -> float:
    """The derivative -dH/dp of the entropy: ``log[(n_k - 1) p / (1 - p)]``.

    Args:
        probability: p of the one action, strictly between 0 and 1.
        actions: n_k; the others share ``1 - p`` equally.
    """
    odds = (actions - 1) * probability / (1 - probability)
    return math.log(odds)


def probability_of(odds: float, actions: int) -> float:
    """The inverse of ``log_odds``.

    Args:
        odds: what ``log_odds`` gives.
        actions: n_k.
    """
    others = math.exp(min(-odds, _LARGEST_EXPONENT))
    return 1 / (1 + (actions - 1) * others)
