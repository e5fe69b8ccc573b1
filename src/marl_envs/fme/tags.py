"""Tags such as 1A4B2C, and the levels that they stand for."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["A", "B", "C"]
LevelActions = tuple[Kind, tuple[int, ...]]

#: Table 2: the actions of each level of the paper's seven tasks (n_k = 10), one digit for each
#: action.
TABLE_2: dict[str, tuple[str, ...]] = {
    "1A6B0C": ("0", "456", "567", "678", "789", "890", "901"),
    "1A5B1C": ("0", "456", "567", "678", "789", "895", "0"),
    "1A4B2C": ("0", "567", "678", "789", "895", "1", "0"),
    "1A3B3C": ("0", "567", "678", "789", "0", "1", "2"),
    "1A2B4C": ("0", "567", "678", "0", "1", "2", "3"),
    "1A1B5C": ("0", "567", "0", "1", "2", "3", "4"),
    "1A0B6C": ("0", "0", "1", "2", "3", "4", "5"),
}
#: The number of actions that Table 2 is for.
_TABLE_2_ACTIONS = 10
#: More levels than that are a slip.
MOST_LEVELS = 10_000
#: The number of arms of a Lv-B.
_ARMS = 3
_TAG = re.compile(r"([0-9]+)A([0-9]+)B([0-9]+)C")


def levels_of_tag(
    tag: str,
    actions: int,
) -> list[LevelActions]:
    """The levels of a tag: first all Lv-A, then all Lv-B, then all Lv-C.

    With 10 actions or more, the tags of Table 2 have the levels of Table 2. All other tags follow
    the rule that Table 2 mostly follows: the k-th Lv-A and the k-th Lv-C have action k, and the
    k-th Lv-B has the arms k + 5, k + 6 and k + 7 (k from 0, all modulo the number of actions).

    Args:
        tag: the number of levels of each kind, as in 1A4B2C.
        actions: the number of actions.

    Returns:
        The kind of each level and its actions.

    Raises:
        ValueError: the tag is not of that form, has no level or too many, or a Lv-B has too few
            actions.
    """
    counts = _counts(tag)
    if sum(counts.values()) == 0:
        raise ValueError(f"tag '{tag}' has no level")
    if sum(counts.values()) > MOST_LEVELS:
        raise ValueError(f"tag '{tag}' has more than {MOST_LEVELS} levels")
    if tag in TABLE_2 and actions >= _TABLE_2_ACTIONS:
        return _levels_of_table_2(tag, counts)
    if counts["B"] and actions < _ARMS:
        raise ValueError(
            f"tag '{tag}' has a Lv-B, which needs at least {_ARMS} actions, "
            f"found actions: {actions}"
        )
    levels: list[LevelActions] = []
    for kind, count in counts.items():
        for ordinal in range(count):
            levels.append((kind, _actions(kind, ordinal, actions)))
    return levels


def _counts(tag: str) -> dict[Kind, int]:
    """How many levels of each kind a tag asks for."""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ValueError(f"tag '{tag}' is not of the form 1A4B2C")
    return {
        "A": int(match[1]),
        "B": int(match[2]),
        "C": int(match[3]),
    }


def _levels_of_table_2(
    tag: str,
    counts: dict[Kind, int],
) -> list[LevelActions]:
    kinds: list[Kind] = []
    for kind, count in counts.items():
        kinds += [kind] * count
    levels: list[LevelActions] = []
    for kind, digits in zip(kinds, TABLE_2[tag], strict=True):
        levels.append((kind, tuple(int(digit) for digit in digits)))
    return levels


def _actions(
    kind: Kind,
    ordinal: int,
    actions: int,
) -> tuple[int, ...]:
    """The actions of a level that is the ``ordinal``-th of its kind."""
    if kind != "B":
        return (ordinal % actions,)
    arms = range(ordinal + 5, ordinal + 5 + _ARMS)
    return tuple(arm % actions for arm in arms)
