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
    """``metrics.csv``: a line for each logged update, no wall-clock times, so that equal runs have equal files.

    Lightning's own CSVLogger empties the file of an earlier run; this one keeps its lines up to ``resumed_at``.
    """

    def __init__(self, path: Path, resumed_at: int | None = None) -> None:
        super().__init__()
        self._path = path
        self._columns: list[str] = []
        self._rows: list[dict[str, str]] = []
        if resumed_at is not None and path.exists():
            self._rows = [row for row in read_metrics(path) if int(row["update"]) <= resumed_at]
            self._columns = list(dict.fromkeys(name for row in self._rows for name in row))
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
        """Nothing: the run folder holds the config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a line; a metric never seen before adds a column."""
        row = {"update": str(step), **{name: repr(value) for name, value in metrics.items()}}
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
    """The lines of a ``metrics.csv`` without empty fields. A last line cut off by a crash is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, restval=None))
    whole = [row for row in rows if all(value is not None for value in row.values())]
    return [{name: value for name, value in row.items() if value != ""} for row in whole]
