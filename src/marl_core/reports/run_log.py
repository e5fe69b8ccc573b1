"""Reading what a run has logged."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping

from marl_core.errors import UserError
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_rows import read_metrics

#: A line of metrics.csv: values by the names of their columns.
LogLine = dict[str, float]

#: How evaluations play. Their metrics are named after it: ``exact/return``, ``sampled/C1``.
_EVALUATIONS = frozenset({"exact", "greedy", "sampled"})
#: The columns that say how likely each named component of the coupling was in training.
_COUPLING = "coupling/"


def read_log(folder: RunFolder) -> list[LogLine]:
    """Read the lines of a run's ``metrics.csv``, each with its number of ``episodes``.

    Args:
        folder: of the run.

    Raises:
        UserError: there is no such file, or it is none of metrics.
    """
    if not folder.metrics.is_file():
        message = "the run has no metrics yet: there is no metrics.csv"
        raise UserError(f"{folder.path}: {message}")
    try:
        lines = [_numbers(line) for line in read_metrics(folder.metrics)]
    except (ValueError, csv.Error) as error:
        message = f"this is no file of metrics: {error}"
        raise UserError(f"{folder.metrics}: {message}") from error
    return lines


def read_run(
    folder: RunFolder,
    labels: Mapping[str, Label],
) -> RunResult:
    """Read what a run has measured so far: its evaluations, and the coupling at the time of each.

    Args:
        folder: of the run, finished or not.
        labels: of the result.

    Raises:
        UserError: there is no run, none of its metrics, or no evaluation yet.
    """
    config = folder.load_config()
    lines: dict[int, LogLine] = {}
    for line in read_log(folder):
        if any(map(is_evaluation, line)):
            lines[int(line["episodes"])] = line
    if not lines:
        raise UserError(f"{folder.path}: the run has no evaluation yet")
    episodes = tuple(sorted(lines))
    metrics: dict[str, tuple[float, ...]] = {}
    for metric in _measured_names(lines.values()):
        values = [lines[at].get(metric, math.nan) for at in episodes]
        metrics[metric] = tuple(values)
    name = config.environment.name
    return RunResult(
        name,
        dict(labels),
        config.seed,
        episodes,
        metrics,
    )


def is_evaluation(metric: str) -> bool:
    """Whether a metric is the score of an evaluation: ``exact/return``, ``sampled/C1``.

    Args:
        metric: the name of the metric.
    """
    how, slash, _ = metric.partition("/")
    return slash != "" and how in _EVALUATIONS


def is_coupling(metric: str) -> bool:
    """Whether a metric is the probability, in training, of a component of the coupling.

    Such a metric is a setting of the exploration, not a score, and unknown before the first update.

    Args:
        metric: the name of the metric: ``coupling/NAME`` for the component called NAME.
    """
    return metric.startswith(_COUPLING)


def component_name(metric: str) -> str:
    """The name of the component of the coupling that a metric is about.

    Args:
        metric: the name of a metric for which ``is_coupling`` holds.
    """
    return metric.removeprefix(_COUPLING)


def _measured_names(lines: Iterable[LogLine]) -> list[str]:
    names: set[str] = set()
    for line in lines:
        names.update(line)
    return sorted(filter(_is_reported, names))


def _is_reported(metric: str) -> bool:
    return is_evaluation(metric) or is_coupling(metric)


def _numbers(line: Mapping[str, str]) -> LogLine:
    numbers: LogLine = {}
    for name, value in line.items():
        numbers[name] = float(value)
    if not numbers.get("episodes", math.nan).is_integer():
        raise ValueError("a line without its number of episodes")
    return numbers
