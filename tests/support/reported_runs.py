"""Changes to the configs of runs, and what figures and tables of reports say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

#: After how many episodes of training made-up runs are evaluated.
AT = (0, 80, 112, 208)
Change = Callable[[dict[str, Any]], object]


def agents(count: int) -> Change:
    return lambda data: data["environment"].update(agents=count)


def set_in(*keys: str | int, value: object) -> Change:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


def both(one: Change, other: Change) -> Change:
    return lambda data: (one(data), other(data))


def cells(table: Table) -> list[list[str]]:
    return [
        list(row)
        for row in zip(
            *([str(cell) for cell in column.cells] for column in table.columns),
            strict=True,
        )
    ]


def lines_of(figure: Figure) -> list[tuple[str, list[float], list[float]]]:
    """Label, episodes and values of each curve."""
    lines = [
        line
        for axis in figure.axes
        for line in axis.get_lines()
        if not str(line.get_label()).startswith("_")
    ]
    return [
        (
            str(line.get_label()),
            np.asarray(line.get_xdata()).tolist(),
            np.asarray(line.get_ydata()).tolist(),
        )
        for line in lines
    ]


def title_of(figure: Figure) -> str:
    return str(figure.get_suptitle())
