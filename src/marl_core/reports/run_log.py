"""Reading what a run has logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.reports.labels import Label
from marl_core.reports.log_columns import ColumnsReader, Lines, RunLog
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_rows import metrics_rows

#: How evaluations play. Their metrics are named after it: ``exact/return``, ``sampled/C1``.
_EVALUATIONS = frozenset({"exact", "greedy", "sampled"})
#: The columns that say how likely each named component of the coupling was in training.
_COUPLING = "coupling/"
#: The column that says how far training was.
_EPISODES = "episodes"


def read_log(folder: RunFolder) -> RunLog:
    """Read of a run's ``metrics.csv`` what reports are about: evaluations, and the coupling.

    Args:
        folder: of the run.

    Raises:
        UserError: there is no such file, or it is none of metrics.
    """
    if not folder.metrics.is_file():
        message = "the run has no metrics yet: there is no metrics.csv"
        raise UserError(f"{folder.path}: {message}")
    reader = ColumnsReader()
    try:
        for line in metrics_rows(folder.metrics):
            numbers = _numbers(line)
            reported = {name: numbers[name] for name in filter(_is_reported, numbers)}
            reader.add(numbers[_EPISODES], reported)
    except ValueError as error:
        message = f"this is no file of metrics: {error}"
        raise UserError(f"{folder.metrics}: {message}") from error
    return reader.log()


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
    return result_of(folder, config, read_log(folder), labels)


def result_of(
    folder: RunFolder,
    config: RunConfig,
    log: RunLog,
    labels: Mapping[str, Label],
) -> RunResult:
    """What a run has measured so far, as ``read_run`` gives it.

    Args:
        folder: of the run, for the message.
        config: of the run.
        log: what it logged.
        labels: of the result.

    Raises:
        UserError: there is no evaluation yet.
    """
    lines = _evaluated_lines(log)
    if not len(lines):
        raise UserError(f"{folder.path}: the run has no evaluation yet")
    metrics: dict[str, tuple[float, ...]] = {}
    for name in sorted(log):
        column = log[name]
        if np.isin(lines, column.lines).any():
            metrics[name] = tuple(column.at(lines).tolist())
    episodes = log.episodes[lines].tolist()
    return RunResult(
        config.environment.name,
        dict(labels),
        config.seed,
        tuple(map(int, episodes)),
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


def _evaluated_lines(log: RunLog) -> Lines:
    """The lines with an evaluation by their episodes; the last one where episodes are the same."""
    found = {
        int(line) for name in filter(is_evaluation, log) for line in log[name].lines
    }
    newest = {int(log.episodes[line]): line for line in sorted(found)}
    lines = [newest[episodes] for episodes in sorted(newest)]
    return np.array(lines, dtype=np.int64)


@lru_cache(maxsize=4096)  # asked for every field of every line
def _is_reported(metric: str) -> bool:
    return is_evaluation(metric) or is_coupling(metric)


def _numbers(line: Mapping[str, str]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in line.items()}
    if not numbers.get(_EPISODES, math.nan).is_integer():
        raise ValueError("a line without its number of episodes")
    return numbers
