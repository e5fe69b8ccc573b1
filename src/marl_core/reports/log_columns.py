"""The lines of a ``metrics.csv``, kept column by column.

A run of 10^7 episodes may have 300,000 lines. As numbers in columns, they take a hundredth of the
memory that a dictionary for each line would take.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

Points = Float[np.ndarray, "points"]
Lines = Int[np.ndarray, "lines"]


@dataclass(frozen=True)
class Column:
    """A metric at the lines that have it.

    Args:
        lines: their numbers, from 0, ascending.
        values: of the metric at each of them.
    """

    lines: Lines
    values: Float[np.ndarray, "lines"]

    def at(self, lines: Lines) -> Points:
        """The metric at some lines; NaN at those that do not have it.

        Args:
            lines: their numbers.
        """
        found = np.full(len(lines), np.nan)
        own = np.isin(lines, self.lines)
        found[own] = self.values[np.searchsorted(self.lines, lines[own])]
        return found


@final
class RunLog(Mapping[str, Column]):
    """Metrics by their names.

    Args:
        episodes: at each line of the file.
        columns: by the names of their metrics.
    """

    def __init__(
        self,
        episodes: Float[np.ndarray, "all_lines"],
        columns: Mapping[str, Column],
    ) -> None:
        self.episodes = episodes
        self._columns = columns

    def __getitem__(self, metric: str) -> Column:
        """A column.

        Args:
            metric: its name.

        Raises:
            KeyError: no line has the metric.
        """
        return self._columns[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def mean_of(self, metrics: Sequence[str]) -> tuple[Points, Points]:
        """The mean of metrics at each line that has them all.

        Args:
            metrics: their names, one or more.

        Returns:
            The episodes at these lines, and the means.
        """
        nothing = Column(np.empty(0, dtype=np.int64), np.empty(0))
        columns = [self._columns.get(metric, nothing) for metric in metrics]
        lines = columns[0].lines
        for column in columns[1:]:
            lines = np.intersect1d(lines, column.lines, assume_unique=True)
        values = np.stack([column.at(lines) for column in columns], axis=1)
        return self.episodes[lines], values.mean(axis=1)


@final
class ColumnsReader:
    """Takes lines one after the other, and keeps their numbers in columns."""

    def __init__(self) -> None:
        self._episodes = array("d")
        self._lines: dict[str, array[int]] = {}
        self._values: dict[str, array[float]] = {}

    def add(
        self,
        episodes: float,
        metrics: Mapping[str, float],
    ) -> None:
        """Take the next line.

        Args:
            episodes: at this line.
            metrics: those that the line has, by name.
        """
        line = len(self._episodes)
        self._episodes.append(episodes)
        for name, value in metrics.items():
            self._lines.setdefault(name, array("q")).append(line)
            self._values.setdefault(name, array("d")).append(value)

    def log(self) -> RunLog:
        """All lines until now. None may be added afterwards."""
        columns: dict[str, Column] = {}
        for name, lines in self._lines.items():
            columns[name] = Column(
                np.frombuffer(lines, dtype=np.int64),
                np.frombuffer(self._values[name]),
            )
        episodes = np.frombuffer(self._episodes) if self._episodes else np.empty(0)
        return RunLog(episodes, columns)
