"""What runs measured over training, in files that other programs read (docs/reference/results_format.md)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import write_whole
from marl_core.runs.metrics_file import read_metrics

Label = str | int | float

_FIRST = ("environment", "task", "algorithm")
_LAST = ("seed", "episodes", "metric", "value")
#: Names that no further label can have: they are columns of the tidy file.
RESERVED = frozenset({*_FIRST, *_LAST})
#: A setting of the exploration, not a score, and unknown before the first update.
_COUPLING = "coupling"


@dataclass(frozen=True)
class RunResult:
    """What one run measured over training.

    Attributes:
        environment: its registered name.
        labels: tell experiments apart. ``task`` and ``algorithm`` are always there; others are words or finite numbers,
            and no word that reads as a number (``as_label`` sees to that).
        seed: of the run.
        episodes: after how many episodes of training it was evaluated, ascending.
        metrics: by name, a value for each evaluation; NaN where it was not measured.

    Raises:
        ValueError: one of the above does not hold.
    """

    environment: str
    labels: Mapping[str, Label]
    seed: int
    episodes: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        for name in ("task", "algorithm"):
            if not self.labels.get(name) or not isinstance(self.labels[name], str):
                raise ValueError(f"the label '{name}' is missing, or no word")
        for name, label in self.labels.items():
            if name in RESERVED and name not in _FIRST[1:]:
                raise ValueError(f"'{name}' is a column of its own and no label")
            if name not in RESERVED and (
                as_label(label) != label or isinstance(label, bool)
            ):
                raise ValueError(
                    f"the label {name}={label!r} is neither a word nor a finite number"
                )
        if not self.episodes or not self.metrics:
            raise ValueError("a result needs an evaluation and a metric at least")
        if any(late <= early for early, late in pairwise(self.episodes)):
            raise ValueError("episodes must ascend")
        for name, values in self.metrics.items():
            if len(values) != len(self.episodes):
                raise ValueError(
                    f"{len(values)} values of {name} for {len(self.episodes)} evaluations"
                )

    def final(self, name: str) -> float:
        """A metric at the last evaluation."""
        return self.metrics[name][-1]

    def average(self, name: str) -> float:
        """A metric's mean over all evaluations of training; NaN where one of them is."""
        with np.errstate(invalid="ignore"):
            return float(np.mean(self.metrics[name]))


def as_label(value: object) -> Label:
    """A setting as a label: words and finite numbers as they are, all else as JSON, and ``"8"`` in quotes."""
    if isinstance(value, str):
        return (
            value
            if value and isinstance(_read_label(value), str)
            else json.dumps(value)
        )
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    ):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def read_run(folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
    """What a run has measured so far: every metric of its evaluations, and the coupling.

    Raises:
        UserError: there is no run, none of its metrics, or no evaluation yet.
    """
    config = folder.load_config()
    rows: dict[int, dict[str, float]] = {}
    for row in read_log(folder):
        if any(_is_evaluation(name) for name in row):
            rows[int(row["episodes"])] = row
    if not rows:
        raise UserError(f"{folder.path}: the run has no evaluation yet")
    names = sorted(
        {
            name
            for row in rows.values()
            for name in row
            if _is_evaluation(name) or name == _COUPLING
        }
    )
    episodes = tuple(sorted(rows))
    metrics = {
        name: tuple(rows[at].get(name, math.nan) for at in episodes) for name in names
    }
    return RunResult(
        config.environment.name, dict(labels), config.seed, episodes, metrics
    )


def _is_evaluation(name: str) -> bool:
    """Evaluations name what they measure after how they played: ``exact/return``, ``sampled/C1``."""
    return "/" in name


def read_log(folder: RunFolder) -> list[dict[str, float]]:
    """The lines of a run's metrics.csv, each with its number of ``episodes``.

    Raises:
        UserError: there is no such file, or it is none of metrics.
    """
    if not folder.metrics.is_file():
        raise UserError(
            f"{folder.path}: the run has no metrics yet: there is no metrics.csv"
        )
    try:
        rows = [
            {name: float(value) for name, value in row.items()}
            for row in read_metrics(folder.metrics)
        ]
        if not all(row.get("episodes", math.nan).is_integer() for row in rows):
            raise ValueError("a line without its number of episodes")
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{folder.metrics}: this is no file of metrics: {error}"
        ) from error
    return rows


def write_tidy(results: Iterable[RunResult], path: Path) -> None:
    """Write a CSV file with a value in each row, in an order that depends on nothing but the results.

    Raises:
        UserError: two results have the same labels and seed, or the file cannot be written.
    """
    ordered = _in_order(results)
    others = sorted(
        {name for result in ordered for name in result.labels} - set(_FIRST)
    )
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*_FIRST, *others, *_LAST])
    for result in ordered:
        labels = [
            result.environment,
            *(_written(result.labels.get(name)) for name in (*_FIRST[1:], *others)),
        ]
        for index, episodes in enumerate(result.episodes):
            for name in sorted(result.metrics):
                writer.writerow(
                    [
                        *labels,
                        result.seed,
                        episodes,
                        name,
                        repr(float(result.metrics[name][index])),
                    ]
                )
    _write(path, text.getvalue())


def read_tidy(path: Path) -> list[RunResult]:
    """Read what ``write_tidy`` wrote, in the file's order. A value that is missing is NaN.

    Raises:
        UserError: there is no such file, or it is none of results.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restval=""))
        return _results_of(rows)
    except OSError as error:
        raise UserError(f"{path}: cannot read the results: {error.strerror}") from error
    except KeyError as error:
        raise UserError(
            f"{path}: this is no file of results: there is no column {error}"
        ) from error
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: this is no file of results: {error}") from error


def _results_of(rows: Sequence[Mapping[str, str]]) -> list[RunResult]:
    values: dict[
        tuple[str, tuple[tuple[str, str], ...], int], dict[tuple[int, str], float]
    ] = {}
    for row in rows:
        labels = tuple(
            (name, text)
            for name, text in row.items()
            if name not in {"environment", *_LAST}
        )
        run = values.setdefault((row["environment"], labels, int(row["seed"])), {})
        key = (int(row["episodes"]), row["metric"])
        if key in run:
            raise ValueError(
                f"two values of {key[1]} after {key[0]} episodes in the same run"
            )
        run[key] = float(row["value"])
    results = []
    for (environment, named, seed), run in values.items():
        episodes = tuple(sorted({at for at, _ in run}))
        names = sorted({name for _, name in run})
        metrics = {
            name: tuple(run.get((at, name), math.nan) for at in episodes)
            for name in names
        }
        labels_read = {
            name: text if name in _FIRST else _read_label(text)
            for name, text in named
            if text
        }
        results.append(RunResult(environment, labels_read, seed, episodes, metrics))
    return results


def write_marl_eval(
    results: Iterable[RunResult],
    path: Path,
    task_labels: Collection[str] = frozenset({"agents"}),
) -> None:
    """Write the JSON file that InstaDeep's marl-eval reads (its README, "Data Structure for Raw Experiment data").

    Labels other than task and algorithm that differ within an environment are added to the name of the task (those in
    ``task_labels``) or of the algorithm (all others). ``step_count`` counts episodes. ``absolute_metrics`` are those of
    the last evaluation. The coupling is left out, being no score. NaN and infinities are written as Python's json reads
    them.

    Raises:
        UserError: two runs would get the same names (marl-eval ignores case), or the file cannot be written.
    """
    ordered = _in_order(results)
    differing = _differing_labels(ordered)
    tree: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    taken: set[tuple[str, ...]] = set()
    for result in ordered:
        names = [
            f"{name}={result.labels[name]}"
            for name in differing[result.environment]
            if name in result.labels
        ]
        of_task = [name for name in names if name.split("=")[0] in task_labels]
        task = " ".join([str(result.labels["task"]), *of_task])
        algorithm = " ".join(
            [
                str(result.labels["algorithm"]),
                *(name for name in names if name not in of_task),
            ]
        )
        place = (result.environment, task, algorithm, f"run_{result.seed}")
        if tuple(map(str.lower, place)) in taken:
            raise UserError(
                f"{path}: two runs would be called {' / '.join(place)} in marl-eval's format"
            )
        taken.add(tuple(map(str.lower, place)))
        runs = (
            tree.setdefault(place[0], {}).setdefault(task, {}).setdefault(algorithm, {})
        )
        runs[place[3]] = _marl_eval_run(result)
    _write(path, json.dumps(tree, indent=1) + "\n")


def _marl_eval_run(result: RunResult) -> dict[str, Any]:
    names = sorted(name for name in result.metrics if name != _COUPLING)
    steps: dict[str, Any] = {
        f"step_{index}": {
            "step_count": episodes,
            **{name: [result.metrics[name][index]] for name in names},
        }
        for index, episodes in enumerate(result.episodes)
    }
    return {**steps, "absolute_metrics": {name: [result.final(name)] for name in names}}


def _differing_labels(results: Sequence[RunResult]) -> dict[str, list[str]]:
    """By environment, the labels other than task and algorithm that are not the same in all of its results."""
    found: dict[str, list[str]] = {}
    for environment in {result.environment for result in results}:
        labels = [
            result.labels for result in results if result.environment == environment
        ]
        names = sorted({name for one in labels for name in one} - set(_FIRST))
        found[environment] = [
            name
            for name in names
            if len({_written(one.get(name)) for one in labels}) > 1
        ]
    return found


def _in_order(results: Iterable[RunResult]) -> list[RunResult]:
    """Sorted by environment, task, algorithm, other labels by name, and seed."""
    found = list(results)
    others = sorted({name for result in found for name in result.labels} - set(_FIRST))

    def place(result: RunResult) -> tuple[Any, ...]:
        labels = (_sortable(result.labels.get(name)) for name in (*_FIRST[1:], *others))
        return (result.environment, *labels, result.seed)

    ordered = sorted(found, key=place)
    for one, next_one in pairwise(ordered):
        if place(one) == place(next_one):
            labels = ", ".join(f"{name}={label}" for name, label in one.labels.items())
            raise UserError(
                f"two runs on {one.environment} with seed {one.seed} have the same labels: {labels}"
            )
    return ordered


def _sortable(label: Label | None) -> tuple[int, float | int, str]:
    """Nothing first, then numbers, then words. The text tells 8 from 8.0: the file does."""
    number = label if isinstance(label, int | float) else 0
    return (
        0 if label is None else 2 if isinstance(label, str) else 1,
        number,
        _written(label),
    )


def _written(label: Label | None) -> str:
    if label is None:
        return ""
    return (
        label
        if isinstance(label, str)
        else repr(float(label) if isinstance(label, float) else label)
    )


def _read_label(text: str) -> Label:
    """A number where the text is exactly how that number is written, else the text."""
    for read in (int, float):
        try:
            number: int | float = read(text)
        except ValueError:
            continue
        if math.isfinite(number) and repr(number) == text:
            return number
    return text


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UserError(
            f"{path}: cannot write the results: {error.strerror}"
        ) from error
