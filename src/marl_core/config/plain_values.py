"""What plain values of a config may be: bounded, without circles, of text that can be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from marl_core.config.yaml_limits import MOST_DEPTH, MOST_VALUES
from marl_core.errors import Location, UserError

#: Digits of the longest number: Python itself refuses to write more than 4,300.
_MOST_BITS = 1024
#: Letters of the longest text.
_MOST_LETTERS = 10_000
#: Control characters that a text of several lines needs.
_LAYOUT = "\n\t"

_Place = tuple[Location, Any]


def check_plain(values: Any) -> None:
    """See that values can be validated, written to a file and shown.

    Args:
        values: of a config, or a part of one.

    Raises:
        UserError: a part of them cannot; it names the part.
    """
    waiting: list[_Place] = [((), values)]
    seen = 0
    while waiting:
        place, value = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise UserError(f"more than {MOST_VALUES:,} values")
        if len(place) > MOST_DEPTH:
            raise UserError("nested too deeply", *place[:3])
        problem = _problem(value)
        if problem:
            raise UserError(problem, *place)
        _check_keys(value, place)
        waiting += [((*place, key), inner) for key, inner in _inner(value)]


def _check_keys(value: Any, place: Location) -> None:
    for key in value if isinstance(value, dict) else ():
        problem = _problem(key) if isinstance(key, str) else "a key must be a text"
        if problem:
            raise UserError(problem, *place)


def _inner(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _problem(value: Any) -> str | None:
    """What is wrong with a single value; None: nothing."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a number of more than 300 digits"
    if not isinstance(value, str):
        return None
    if len(value) > _MOST_LETTERS:
        return f"a text of more than {_MOST_LETTERS:,} letters"
    return _bad_letter(value)


def _bad_letter(text: str) -> str | None:
    for letter in text:
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in _LAYOUT:
            return f"the letter U+{ord(letter):04X} cannot stand in a text"
    return None
