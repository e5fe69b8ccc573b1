"""The metrics of a run as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        rows: Sequence[Mapping[str, str]],
    ) -> None:
        names: list[str] = []
        for row in rows:
            names += [name for name in row if name not in names]
        self._length = len(rows)
        self._columns = {name: _column(rows, name) for name in names}

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


def _column(
    rows: Sequence[Mapping[str, str]],
    name: str,
) -> Float[np.ndarray, "rows"]:
    values = [float(row.get(name, "nan")) for row in rows]
    return np.array(values, dtype=np.float64)
