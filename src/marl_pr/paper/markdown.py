"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from marl_core.evaluation.statistics import Interval

#: Where no run is.
MISSING = "-"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = [":--", *["--:" for _ in header[1:]]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)) + "\n"


def interval_cell(interval: Interval | None) -> str:
    """``mean [low, high]``."""
    if interval is None:
        return MISSING
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def number_cell(value: float | None) -> str:
    """Two places."""
    return MISSING if value is None else f"{value:.2f}"
