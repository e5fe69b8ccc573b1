"""What experiments came to, as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from rich.table import Table
from rich.text import Text

from marl_core.errors import printable
from marl_core.evaluation.bootstrap import (
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    mean_statistic,
)
from marl_core.evaluation.statistics import Interval
from marl_core.reports.experiments import (
    Experiment,
    compared_metrics,
    same_environment,
)
from marl_core.reports.wording import metric_title, seeds_text

#: What a row is called, and a score of each run.
_Row = tuple[str, Float[np.ndarray, "runs 1"]]


def final_table(
    experiment: Experiment,
    metric: str | None = None,
) -> Table:
    """Tabulate the last evaluation: mean and interquartile mean with 95 % bootstrap intervals.

    Args:
        experiment: with one run or more; a single run has no intervals.
        metric: the name of a metric that gets a row of its own, the first one.
    """
    title = Text(printable(f"{experiment.name}: {_extent(experiment)}"))
    table = Table(title=title, title_justify="left")
    table.add_column("last evaluation", justify="left")
    table.add_column("mean", justify="right")
    table.add_column("interquartile mean", justify="right")
    for name, scores in _rows(experiment, metric):
        mean = bootstrap_interval(scores, mean_statistic)
        middle = bootstrap_interval(scores, interquartile_mean)
        table.add_row(
            Text(printable(name)),
            _text(mean),
            _text(middle),
        )
    several = len(experiment.results) > 1
    table.caption = "95 % bootstrap intervals" if several else "one run: no intervals"
    return table


def improvement_tables(
    experiments: Sequence[Experiment],
    metric: str | None = None,
) -> list[Table]:
    """Tabulate how probable it is that a run of each experiment scores more than one of the first.

    Args:
        experiments: in any order; those on the same environment are compared with its first one.
        metric: the name of the metric to compare by; by default those of ``compared_metrics``.

    Returns:
        A table for each environment with several experiments, and each metric.

    Raises:
        UserError: a run has no such metric.
    """
    tables: list[Table] = []
    for group in same_environment(experiments):
        if len(group) > 1:
            metrics = compared_metrics(group, metric)
            tables += [_improvement_table(group, name) for name in metrics]
    return tables


def _improvement_table(
    experiments: Sequence[Experiment],
    metric: str,
) -> Table:
    first, *others = experiments
    over = printable(f"{first.name}, {metric}")
    title = Text(f"probability of improvement over {over}")
    table = Table(title=title, title_justify="left")
    table.add_column("experiment")
    table.add_column("probability", justify="right")
    for other in others:
        interval = improvement_interval(other.final(metric), first.final(metric))
        table.add_row(Text(printable(other.name)), _text(interval))
    return table


def _extent(experiment: Experiment) -> str:
    """Which seeds, and how far they were trained."""
    seeds = seeds_text([result.seed for result in experiment.results])
    reached = [result.episodes[-1] for result in experiment.results]
    first = min(reached)
    last = max(reached)
    done = f"{last:,}"
    if first < last:
        done = f"{first:,} to {last:,}"
    goal = experiment.config.episodes
    if first < goal:
        done = f"{done} of {goal:,}"
    return f"{seeds}, after {done} episodes"


def _rows(
    experiment: Experiment,
    metric: str | None,
) -> list[_Row]:
    measure = experiment.measure
    rows: list[_Row] = []
    if metric is not None:
        rows.append((metric, experiment.final(metric)))
    scores = (
        f"{measure}/return",
        "sampled/return",
        "greedy/win_rate",
        "sampled/win_rate",
    )
    for score in scores:
        if experiment.measured(score):
            title = metric_title(score)
            rows.append((title, experiment.final(score)))
    for kind, names in experiment.level_kinds.items():
        metrics = [f"{measure}/{name}" for name in names]
        if all(map(experiment.measured, metrics)):
            title = metric_title(f"{measure}/levels {kind}")
            rows.append((title, experiment.final(*metrics)))
    return rows


def _text(interval: Interval) -> Text:
    mean = f"{interval.mean:.3f}"
    if not math.isfinite(interval.low):
        return Text(mean)
    low = f"{interval.low:.3f}"
    high = f"{interval.high:.3f}"
    return Text(f"{mean} [{low}, {high}]")
