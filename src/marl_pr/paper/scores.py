"""From the results of runs to the numbers of tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from marl_core.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
)
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult

#: A run's number: what it is in the end, or over its training.
Reading = Callable[[RunResult], float]


def select(results: Sequence[RunResult], **labels: Label) -> list[RunResult]:
    """The runs with these labels, in the order of their seeds."""
    found = [
        run
        for run in results
        if all(run.labels.get(name) == value for name, value in labels.items())
    ]
    return sorted(found, key=lambda run: run.seed)


def by_label(results: Sequence[RunResult], label: str) -> dict[Label, list[RunResult]]:
    """The runs for each value of a label, in the order of the values; runs without it are left out."""
    values = sorted({run.labels[label] for run in results if label in run.labels})
    return {value: select(results, **{label: value}) for value in values}


def values_of(results: Sequence[RunResult], label: str) -> list[float]:
    """The numbers that a label takes, in order; of the runs that have it."""
    return sorted({float(run.labels[label]) for run in results if label in run.labels})


def final_return(run: RunResult) -> float:
    """The exact return of the greedy team after training."""
    return float(run.final("exact/return"))


def final_responsibility(run: RunResult) -> float:
    """The exact reward of the greedy team at the Lv-C levels after training, the mean over them."""
    return float(np.mean([run.final(name) for name in _responsibility_levels(run)]))


def average_responsibility(run: RunResult) -> float:
    """The same, averaged over all evaluations of the training."""
    return float(np.mean([run.average(name) for name in _responsibility_levels(run)]))


def _responsibility_levels(run: RunResult) -> list[str]:
    return [name for name in run.metrics if name.startswith("exact/C")]


def numbers(
    results: Sequence[RunResult], reading: Reading
) -> Float[np.ndarray, "runs 1"]:
    """A number of each run, as the statistics take them. Levels of one run are no independent tasks."""
    return np.array([[reading(run)] for run in results]).reshape(-1, 1)


def mean_of(results: Sequence[RunResult], reading: Reading) -> Interval | None:
    """The mean over runs with its 95 % bootstrap interval; None without runs."""
    return bootstrap_interval(numbers(results, reading)) if results else None


def middle_of(results: Sequence[RunResult], reading: Reading) -> float | None:
    """The interquartile mean over runs; None without runs."""
    return float(interquartile_mean(numbers(results, reading))) if results else None


def chance_of_improvement(
    better: Sequence[RunResult], worse: Sequence[RunResult], reading: Reading
) -> Interval | None:
    """The probability that a run of the first kind beats one of the second; None without runs of both."""
    if not better or not worse:
        return None
    return improvement_interval(numbers(better, reading), numbers(worse, reading))
