"""A script for the three chasers of mpe2's simple_tag; ``tag.yaml`` names it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Where a chaser sees how far the runner is away, to the right and up.
RUNNER = slice(12, 14)


def straight(
    seen: Mapping[str, np.ndarray],
    legal: Mapping[str, np.ndarray | None],
    generator: np.random.Generator,
) -> dict[str, int]:
    """Every chaser goes straight for the runner.

    Args:
        seen: what each chaser sees, by name.
        legal: which of its actions are legal; here all of them always are.
        generator: of the game; nothing is drawn here.
    """
    return {name: towards(view[RUNNER]) for name, view in seen.items()}


def towards(way: np.ndarray) -> int:
    """The action that goes along the greater of two distances.

    Args:
        way: to the right and up.

    Returns:
        1: to the left, 2: to the right, 3: down, 4: up.
    """
    along = int(abs(way[1]) > abs(way[0]))
    return 1 + 2 * along + int(way[along] > 0)
