"""Tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from marl_core.evaluation.statistics import Interval

Value = TypeVar("Value")

#: Stands where there is no run.
MISSING = "-"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose other columns are numbers.

    Args:
        header: a cell for each column.
        rows: the cells of each row.
    """
    rule = [":--", *["--:" for _ in header[1:]]]
    lines = [_line(cells) for cells in (header, rule, *rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def interval_cell(interval: Interval | None) -> str:
    """``mean [low, high]``; only the mean where its interval is not known.

    Args:
        interval: None where there is no run.
    """
    if interval is None:
        return MISSING
    if not math.isfinite(interval.high - interval.low):  # The interval of a single run.
        return number_cell(interval.mean)
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def number_cell(value: float | None) -> str:
    """A number with two decimal places.

    Args:
        value: None where there is no run.
    """
    return MISSING if value is None else f"{value:.2f}"


def comparison_table(
    corner: str,
    rows: Mapping[str, Value],
    columns: Sequence[str],
    cell: Callable[[Value, str], Interval | None],
) -> str:
    """A table of intervals.

    Args:
        corner: the header of the first column.
        rows: how each row's value is written, and the value.
        columns: the headers of the other columns.
        cell: from a row's value and a column's header to the interval.
    """
    body = []
    for text, value in rows.items():
        cells = [interval_cell(cell(value, column)) for column in columns]
        body.append([text, *cells])
    return markdown_table([corner, *columns], body)
