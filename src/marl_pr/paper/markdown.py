"""Tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from marl_core.evaluation.statistics import Interval

Value = TypeVar("Value")

#: Where no run is.
MISSING = "-"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = [":--", *["--:" for _ in header[1:]]]
    return (
        "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
        + "\n"
    )


def interval_cell(interval: Interval | None) -> str:
    """``mean [low, high]``; the mean alone where nothing is known of its interval."""
    if interval is None:
        return MISSING
    if not math.isfinite(interval.high - interval.low):  # of a single run
        return number_cell(interval.mean)
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def number_cell(value: float | None) -> str:
    """Two places."""
    return MISSING if value is None else f"{value:.2f}"


def comparison_table(
    corner: str,
    rows: Mapping[str, Value],
    columns: Sequence[str],
    cell: Callable[[Value, str], Interval | None],
) -> str:
    """A row for each of ``rows`` (how it is written, and its value), the interval of ``cell`` in each column."""
    body = [
        [text, *(interval_cell(cell(value, column)) for column in columns)]
        for text, value in rows.items()
    ]
    return markdown_table([corner, *columns], body)
