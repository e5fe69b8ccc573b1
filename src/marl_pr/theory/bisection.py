"""The sign change of a function of one number."""

from __future__ import annotations

from collections.abc import Callable


def sign_change(function: Callable[[float], float], low: float, high: float) -> float:
    """Find where a function crosses 0 from above, exact to the last bit, by bisection.

    Args:
        function: above 0 at ``low`` and at most 0 at ``high``.
        low: the lower end of the interval.
        high: the upper end of the interval.

    Returns:
        The place of a sign change: the smallest double above it.

    Raises:
        ValueError: the function does not have these signs at the ends.
    """
    if not (function(low) > 0 >= function(high)):
        raise ValueError(
            f"no sign change between {low:g} and {high:g}: "
            f"{function(low):g}, {function(high):g}"
        )
    middle = (low + high) / 2
    while low < middle < high:
        if function(middle) > 0:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2
    return high
