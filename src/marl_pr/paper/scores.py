"""From the results of runs to the numbers of tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from marl_core.evaluation.bootstrap import (
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
)
from marl_core.evaluation.statistics import Interval
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult

#: Takes one number from a run's result: one at the end, or one over its training.
Reading = Callable[[RunResult], float]


def select(results: Sequence[RunResult], **labels: Label) -> list[RunResult]:
    """The runs with certain labels, in the order of their seeds.

    Args:
        results: to choose from.
        **labels: the values that these labels must have.
    """
    found = [run for run in results if _has(run, labels)]
    return sorted(found, key=lambda run: run.seed)


def _has(run: RunResult, labels: dict[str, Label]) -> bool:
    return all(run.labels.get(name) == value for name, value in labels.items())


def by_label(results: Sequence[RunResult], label: str) -> dict[Label, list[RunResult]]:
    """The runs for each value of a label, in the order of the values.

    Args:
        results: runs without the label are left out.
        label: its name.
    """
    values = {run.labels[label] for run in results if label in run.labels}
    return {value: select(results, **{label: value}) for value in sorted(values)}


def values_of(results: Sequence[RunResult], label: str) -> list[float]:
    """The numbers that a label takes, in ascending order.

    Args:
        results: runs without the label are left out.
        label: its name.
    """
    values = {float(run.labels[label]) for run in results if label in run.labels}
    return sorted(values)


def are_single_runs(results: Sequence[RunResult]) -> bool:
    """Whether no two runs have equal labels, so that there is no interval over runs.

    Args:
        results: the runs.
    """
    counts = Counter(tuple(sorted(run.labels.items())) for run in results)
    return max(counts.values(), default=0) <= 1


def final_return(run: RunResult) -> float:
    """The exact return of the greedy team after training.

    Args:
        run: its result.
    """
    return float(run.final("exact/return"))


def final_responsibility(run: RunResult) -> float:
    """The exact reward of the greedy team at the Lv-C levels after training, their mean.

    Args:
        run: its result.
    """
    levels = _responsibility_levels(run)
    return float(np.mean([run.final(name) for name in levels]))


def average_responsibility(run: RunResult) -> float:
    """The same as ``final_responsibility``, averaged over all evaluations of the training.

    Args:
        run: its result.
    """
    levels = _responsibility_levels(run)
    return float(np.mean([run.average(name) for name in levels]))


def _responsibility_levels(run: RunResult) -> list[str]:
    return [name for name in run.metrics if name.startswith("exact/C")]


def numbers(
    results: Sequence[RunResult], reading: Reading
) -> Float[np.ndarray, "runs 1"]:
    """One number of each run, as the statistics take them.

    There is one column, because the levels of one run are not independent tasks.

    Args:
        results: the runs.
        reading: takes the number from a run.
    """
    column = [[reading(run)] for run in results]
    return np.array(column).reshape(-1, 1)


def mean_of(results: Sequence[RunResult], reading: Reading) -> Interval | None:
    """The mean over runs with its 95 % bootstrap interval; None without runs.

    Args:
        results: the runs.
        reading: takes the number from a run.
    """
    if not results:
        return None
    return bootstrap_interval(numbers(results, reading))


def middle_of(results: Sequence[RunResult], reading: Reading) -> float | None:
    """The interquartile mean over runs; None without runs.

    Args:
        results: the runs.
        reading: takes the number from a run.
    """
    if not results:
        return None
    return float(interquartile_mean(numbers(results, reading)))


def chance_of_improvement(
    better: Sequence[RunResult],
    worse: Sequence[RunResult],
    reading: Reading,
) -> Interval | None:
    """The probability that a run of one kind beats a run of another; None without runs of both.

    Args:
        better: runs of the kind that is asked about.
        worse: runs of the other kind.
        reading: takes the number from a run.
    """
    if not better or not worse:
        return None
    return improvement_interval(numbers(better, reading), numbers(worse, reading))
