"""Metrics as a CSV file that survives being resumed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, final

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from marl_core.runs.whole_writes import write_whole


@final
class MetricsFile(Logger):
    """``metrics.csv``: a line for each logged update.

    It has no wall-clock times, so that equal runs have equal files. Lightning's own CSVLogger
    empties the file of an earlier run; this one keeps its lines.

    Args:
        path: of the file.
        resumed_at: the update at which the run goes on; lines up to it are kept. None: it begins.
    """

    def __init__(self, path: Path, resumed_at: int | None = None) -> None:
        super().__init__()
        self._path = path
        self._columns: list[str] = []
        self._rows: list[dict[str, str]] = []
        if resumed_at is not None and path.exists():
            rows = read_metrics(path)
            self._rows = [row for row in rows if int(row["update"]) <= resumed_at]
            for row in self._rows:
                self._columns += [name for name in row if name not in self._columns]
        self._rewrite()

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """Unused."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> MetricsFile:
        """The logger itself."""
        return self

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run folder holds the config.

        Args:
            params: unused.
            args: unused.
            kwargs: unused.
        """

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a line; a metric never seen before adds a column.

        Args:
            metrics: by name.
            step: the update.
        """
        row = {"update": str(step)}
        for name, value in metrics.items():
            row[name] = repr(value)
        new = [name for name in row if name not in self._columns]
        self._rows.append(row)
        if new:
            self._columns += new
            self._rewrite()
        else:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)

    @rank_zero_only
    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        if self._columns:
            writer = csv.DictWriter(text, self._columns)
            writer.writeheader()
            writer.writerows(self._rows)
        # In one step: lines from before the newest checkpoint could not be made again.
        write_whole(self._path, text.getvalue().encode())


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The lines of a ``metrics.csv``, without empty fields.

    A last line that a crash has cut off is left out.

    Args:
        path: of the file.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, restval=None))
    return [_without_empty(row) for row in rows if None not in row.values()]


def _without_empty(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value != ""}
