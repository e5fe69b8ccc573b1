"""Labels: the words and numbers that tell experiments apart in files and figures."""

from __future__ import annotations

import json
import math

Label = str | int | float

#: The first columns of a tidy file. The last two of them are labels that every result has.
FIRST_COLUMNS = ("environment", "task", "algorithm")
#: The last columns of a tidy file.
LAST_COLUMNS = ("seed", "episodes", "metric", "value")
#: Names that no further label can have, because they are columns of the tidy file.
RESERVED = frozenset({*FIRST_COLUMNS, *LAST_COLUMNS})


def as_label(value: object) -> Label:
    """Turn a setting into a label.

    Args:
        value: of the setting, anything that JSON can say.

    Returns:
        Words and finite numbers as they are, and all else as JSON. A word that reads as a number is
        put in quotes: ``"8"``.
    """
    if isinstance(value, str):
        is_word = isinstance(read_label(value), str)
        if value and is_word:
            return value
        return json.dumps(value)
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def label_text(label: Label | None) -> str:
    """Write a label for a file, so that ``read_label`` reads the same label again.

    Args:
        label: None, which is written as nothing, where there is no such label.
    """
    if label is None:
        return ""
    if isinstance(label, str):
        return label
    if isinstance(label, float):
        # NumPy's numbers would be written with the names of their types.
        return repr(float(label))
    return repr(label)


def read_label(text: str) -> Label:
    """Read a label from a file.

    Args:
        text: what ``label_text`` wrote.

    Returns:
        A number where the text is exactly how that number is written, else the text.
    """
    for read in (int, float):
        try:
            number: int | float = read(text)
        except ValueError:
            continue
        is_written_so = repr(number) == text
        if is_written_so and math.isfinite(number):
            return number
    return text
