"""The tidy CSV file of results, with one value in a row (docs/reference/results_format.md)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from marl_core.errors import UserError
from marl_core.reports.labels import (
    FIRST_COLUMNS,
    LAST_COLUMNS,
    Label,
    label_text,
    read_label,
)
from marl_core.reports.results import RunResult, in_order, other_labels
from marl_core.runs.whole_writes import write_output

#: What tells a run from the others in a file: its environment, its labels as written, its seed.
_WrittenLabels = tuple[tuple[str, str], ...]
_RunKey = tuple[str, _WrittenLabels, int]

#: Columns that hold no labels.
_NO_LABELS = frozenset({"environment", *LAST_COLUMNS})


def write_tidy(
    results: Iterable[RunResult],
    path: Path,
) -> None:
    """Write a CSV file with a value in each row, in an order that only depends on the results.

    Args:
        results: in any order.
        path: where the file goes.

    Raises:
        UserError: two results have the same labels and seed, or the file cannot be written.
    """
    ordered = in_order(results)
    others = other_labels(ordered)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        [
            *FIRST_COLUMNS,
            *others,
            *LAST_COLUMNS,
        ]
    )
    for result in ordered:
        writer.writerows(_rows(result, others))
    write_output(
        path,
        text.getvalue().encode(),
        "results",
    )


def read_tidy(path: Path) -> list[RunResult]:
    """Read what ``write_tidy`` wrote, in the file's order. A value that is missing is NaN.

    Args:
        path: of the file.

    Raises:
        UserError: there is no such file, or it is none of results.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restval=""))
        if any(None in row for row in rows):
            raise ValueError("a line with more values than there are columns")
        return _results_of(rows)
    except OSError as error:
        raise UserError(f"{path}: cannot read the results: {error.strerror}") from error
    except KeyError as error:
        message = f"this is no file of results: there is no column {error}"
        raise UserError(f"{path}: {message}") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: this is no file of results: {error}") from error


def _rows(
    result: RunResult,
    others: Sequence[str],
) -> Iterator[list[object]]:
    names = (*FIRST_COLUMNS[1:], *others)
    labels = [label_text(result.labels.get(name)) for name in names]
    run = [
        result.environment,
        *labels,
        result.seed,
    ]
    for index, episodes in enumerate(result.episodes):
        for name in sorted(result.metrics):
            value = float(result.metrics[name][index])
            yield [
                *run,
                episodes,
                name,
                repr(value),
            ]


class _RunValues:
    """The values that a file has of one run, by episodes and metric."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, str], float] = {}

    def add(self, row: Mapping[str, str]) -> None:
        episodes = int(row["episodes"])
        name = row["metric"]
        place = (episodes, name)
        if place in self._values:
            twice = f"two values of {name} after {episodes} episodes"
            raise ValueError(f"{twice} in the same run")
        self._values[place] = float(row["value"])

    def episodes(self) -> list[int]:
        found = {episodes for episodes, _ in self._values}
        return sorted(found)

    def metrics(self) -> dict[str, tuple[float, ...]]:
        episodes = self.episodes()
        names = {name for _, name in self._values}
        metrics: dict[str, tuple[float, ...]] = {}
        for name in sorted(names):
            values = [self._values.get((at, name), math.nan) for at in episodes]
            metrics[name] = tuple(values)
        return metrics


def _results_of(rows: Sequence[Mapping[str, str]]) -> list[RunResult]:
    runs: dict[_RunKey, _RunValues] = {}
    for row in rows:
        key = _run_key(row)
        values = runs.setdefault(key, _RunValues())
        values.add(row)
    return [_result_of(key, values) for key, values in runs.items()]


def _run_key(row: Mapping[str, str]) -> _RunKey:
    labels = [(name, text) for name, text in row.items() if name not in _NO_LABELS]
    seed = int(row["seed"])
    return row["environment"], tuple(labels), seed


def _result_of(
    key: _RunKey,
    values: _RunValues,
) -> RunResult:
    environment, written, seed = key
    labels: dict[str, Label] = {}
    for name, text in written:
        if name in FIRST_COLUMNS:
            labels[name] = text
        elif text:
            labels[name] = read_label(text)
    episodes = tuple(values.episodes())
    return RunResult(
        environment,
        labels,
        seed,
        episodes,
        values.metrics(),
    )
