"""The metrics of a run as a table."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableSequence
from itertools import repeat
from typing import final

import numpy as np
from jaxtyping import Float, Shaped

from marl_core.errors import suggestion


@final
class MetricsTable(Mapping[str, Float[np.ndarray, "rows"]]):
    """What ``metrics.csv`` holds: a column for each metric, a row for each logged update.

    A mapping from a column's name to its values. What was not measured at an update is NaN::

        table = load("runs/a").metrics()
        table["exact/return"]                       # [rows], NaN between the evaluations
        episodes, values = table.measured("exact/return")       # only where it was measured
        pandas.DataFrame(dict(table))               # if you have pandas

    Args:
        rows: the lines of the file, each with the fields that are not empty.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, str]],
    ) -> None:
        self._length = 0
        found: dict[str, array[float]] = {}
        # One row is in memory at a time: a long run has 300,000.
        for row in rows:
            for name, value in row.items():
                column = found.setdefault(name, array("d"))
                _lengthen(column, self._length)
                column.append(float(value))
            self._length += 1
        self._columns: dict[str, Float[np.ndarray, "rows"]] = {}
        for name, column in found.items():
            _lengthen(column, self._length)
            self._columns[name] = np.array(column)

    def __getitem__(
        self,
        name: str,
    ) -> Float[np.ndarray, "rows"]:
        """A column.

        Args:
            name: of the metric.

        Raises:
            KeyError: there is no such metric; the argument says which was meant.
        """
        if name not in self._columns:
            hint = suggestion(name, self._columns)
            raise KeyError(f"no metric '{name}' was logged{hint}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._length

    def measured(
        self, name: str, by: str = "episodes"
    ) -> tuple[Float[np.ndarray, "few"], Float[np.ndarray, "few"]]:
        """A metric where it was measured, beside another column: a curve to draw.

        Args:
            name: of the metric.
            by: the column to lay it out by.

        Returns:
            The values of ``by``, and those of the metric.

        Raises:
            KeyError: there is no such metric.
        """
        values = self[name]
        there: Shaped[np.ndarray, "rows"] = ~np.isnan(values)
        return self[by][there], values[there]

    def __repr__(self) -> str:
        return f"MetricsTable({self._length} rows: {', '.join(self._columns)})"


def _lengthen(
    column: MutableSequence[float],
    rows: int,
) -> None:
    """Say NaN in those rows that the column has been missing from."""
    column.extend(repeat(math.nan, rows - len(column)))
