"""The sign change of a function of one number."""

from __future__ import annotations

from collections.abc import Callable


def sign_change(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is above 0 at ``low`` and not at ``high`` crosses 0; to the last bit.

    Raises:
        ValueError: it does not have these signs.
    """
    if not (function(low) > 0 >= function(high)):
        raise ValueError(
            f"no sign change between {low:g} and {high:g}: {function(low):g}, {function(high):g}"
        )
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return high
