"""Metrics as a CSV file that survives being resumed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, final

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from marl_core.runs.logged import Logged, RowCounter
from marl_core.runs.metrics_rows import metrics_rows
from marl_core.runs.whole_writes import naming, sync_file, write_whole


@final
class MetricsFile(Logger):
    """``metrics.csv``: a line for each logged update.

    It has no wall-clock times, so that equal runs have equal files. Lightning's own CSVLogger
    empties the file of an earlier run; this one keeps its lines. They are on disk alone, however
    many there are.

    Args:
        path: of the file.
        kept: how many lines of an earlier process are kept, from the first.
    """

    def __init__(self, path: Path, kept: int = 0) -> None:
        super().__init__()
        self._path = path
        self._columns: list[str] = []
        self._counter = RowCounter()
        self._appended = False
        self._begin(kept)

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

    @property
    def logged(self) -> Logged:
        """What has been logged until now."""
        return self._counter.logged

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
        if self._add_columns(row):
            self._rewrite(chain(self._on_disk(), [row]))
        else:
            self._append(row)
        self._counter.add(row)

    @rank_zero_only
    def save(self) -> None:
        """Make all lines last. A checkpoint that counts them is written only then."""
        if self._appended:
            sync_file(self._path)
            self._appended = False

    @rank_zero_only
    def _begin(self, kept: int) -> None:
        # A long run has 300,000 lines, of which one is in memory at a time.
        for row in self._first_lines(kept):
            self._add_columns(row)
            self._counter.add(row)
        self._rewrite(self._on_disk())

    def _add_columns(self, row: Iterable[str]) -> bool:
        """Know the columns of a line; whether some are new."""
        new = [name for name in row if name not in self._columns]
        self._columns += new
        return bool(new)

    def _on_disk(self) -> Iterator[dict[str, str]]:
        return self._first_lines(self._counter.logged.rows)

    def _first_lines(self, count: int) -> Iterator[dict[str, str]]:
        return islice(metrics_rows(self._path), count) if count else iter(())

    def _append(self, row: dict[str, str]) -> None:
        with (
            naming(self._path),
            self._path.open("a", newline="", encoding="utf-8") as file,
        ):
            csv.DictWriter(file, self._columns).writerow(row)
        self._appended = True

    def _rewrite(self, rows: Iterable[dict[str, str]]) -> None:
        content = io.BytesIO()
        text = io.TextIOWrapper(content, encoding="utf-8", newline="")
        if self._columns:
            writer = csv.DictWriter(text, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        text.flush()
        # In one step: lines from before the newest checkpoint could not be made again.
        write_whole(self._path, content.getvalue())
