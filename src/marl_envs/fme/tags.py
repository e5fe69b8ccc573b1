"""Tags such as 1A4B2C and the levels that they stand for."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["A", "B", "C"]
LevelActions = tuple[Kind, tuple[int, ...]]

#: Table 2: the actions of each level of the paper's seven tasks (n_k = 10).
TABLE_2: dict[str, tuple[str, ...]] = {
    "1A6B0C": ("0", "456", "567", "678", "789", "890", "901"),
    "1A5B1C": ("0", "456", "567", "678", "789", "895", "0"),
    "1A4B2C": ("0", "567", "678", "789", "895", "1", "0"),
    "1A3B3C": ("0", "567", "678", "789", "0", "1", "2"),
    "1A2B4C": ("0", "567", "678", "0", "1", "2", "3"),
    "1A1B5C": ("0", "567", "0", "1", "2", "3", "4"),
    "1A0B6C": ("0", "0", "1", "2", "3", "4", "5"),
}
_TAG = re.compile(r"(\d+)A(\d+)B(\d+)C")


def levels_of_tag(tag: str, actions: int) -> list[LevelActions]:
    """The levels of a tag: first all Lv-A, then all Lv-B, then all Lv-C.

    With 10 actions or more, the tags of Table 2 have the levels of Table 2. Every other case follows the rule that
    Table 2 mostly follows: the k-th Lv-A and the k-th Lv-C have action k, the k-th Lv-B has the arms k+5, k+6 and k+7
    (k from 0, all modulo the number of actions).

    Raises:
        ValueError: the tag is not of that form, or has no level, or a Lv-B has too few actions.
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ValueError(f"tag '{tag}' is not of the form 1A4B2C")
    counts: dict[Kind, int] = {
        "A": int(match[1]),
        "B": int(match[2]),
        "C": int(match[3]),
    }
    kinds: list[Kind] = [kind for kind, count in counts.items() for _ in range(count)]
    if not kinds:
        raise ValueError(f"tag '{tag}' has no level")
    if tag in TABLE_2 and actions >= 10:
        return [
            (kind, tuple(map(int, digits)))
            for kind, digits in zip(kinds, TABLE_2[tag], strict=True)
        ]
    if counts["B"] and actions < 3:
        raise ValueError(
            f"tag '{tag}' has a Lv-B, which needs at least 3 actions, found actions: {actions}"
        )
    ordinals = [k for count in counts.values() for k in range(count)]
    return [
        (
            kind,
            tuple((k + 5 + arm) % actions for arm in range(3))
            if kind == "B"
            else (k % actions,),
        )
        for kind, k in zip(kinds, ordinals, strict=True)
    ]
