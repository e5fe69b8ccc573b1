"""What experiments came to, as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from rich.table import Table
from rich.text import Text

from marl_core.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    mean_statistic,
)
from marl_core.reports.experiments import Experiment, chosen_metric, same_environment


def final_table(experiment: Experiment, metric: str | None = None) -> Table:
    """The last evaluation of an experiment's runs: mean and interquartile mean with 95 % bootstrap intervals.

    Args:
        experiment: what is told about.
        metric: a row of its own for this one, first.
    """
    table = Table(
        title=Text(f"{experiment.name}: {_extent(experiment)}"), title_justify="left"
    )
    for column in ("last evaluation", "mean", "interquartile mean"):
        table.add_column(
            column, justify="left" if column == "last evaluation" else "right"
        )
    for name, scores in _rows(experiment, metric):
        intervals = (
            bootstrap_interval(scores, statistic)
            for statistic in (mean_statistic, interquartile_mean)
        )
        table.add_row(Text(name), *(_text(interval) for interval in intervals))
    table.caption = (
        "95 % bootstrap intervals"
        if len(experiment.results) > 1
        else "one run: no intervals"
    )
    return table


def improvement_tables(
    experiments: Sequence[Experiment], metric: str | None = None
) -> list[Table]:
    """For each environment with several experiments, how probable a run of each scores more than one of the first."""
    tables = []
    for first, *others in same_environment(experiments):
        if not others:
            continue
        name = chosen_metric([first, *others], metric)
        table = Table(
            title=Text(f"probability of improvement over {first.name}, {name}"),
            title_justify="left",
        )
        table.add_column("experiment")
        table.add_column("probability", justify="right")
        for other in others:
            table.add_row(
                Text(other.name),
                _text(improvement_interval(other.final(name), first.final(name))),
            )
        tables.append(table)
    return tables


def _extent(experiment: Experiment) -> str:
    """Which seeds, and how far they were trained."""
    seeds = ", ".join(str(result.seed) for result in experiment.results)
    reached = sorted({result.episodes[-1] for result in experiment.results})
    done = (
        f"{reached[0]:,}" if len(reached) == 1 else f"{reached[0]:,} to {reached[-1]:,}"
    )
    planned = (
        f" of {experiment.config.episodes:,}"
        if reached[0] < experiment.config.episodes
        else ""
    )
    return f"seed{'s' * (len(experiment.results) > 1)} {seeds}, after {done}{planned} episodes"


def _rows(
    experiment: Experiment, metric: str | None
) -> list[tuple[str, Float[np.ndarray, "runs 1"]]]:
    measure = experiment.measure
    how = "greedy policy, exact" if measure == "exact" else "greedy policy"
    rows = [] if metric is None else [(metric, experiment.final(metric))]
    rows.append((f"return ({how})", experiment.final(f"{measure}/return")))
    if experiment.measured("sampled/return"):
        rows.append(("return (sampled)", experiment.final("sampled/return")))
    for kind, names in experiment.level_kinds.items():
        metrics = [f"{measure}/{name}" for name in names]
        if all(experiment.measured(name) for name in metrics):
            rows.append((f"Lv-{kind} ({how})", experiment.final(*metrics)))
    return rows


def _text(interval: Interval) -> Text:
    ends = (
        f" [{interval.low:.3f}, {interval.high:.3f}]"
        if math.isfinite(interval.low)
        else ""
    )
    return Text(f"{interval.mean:.3f}{ends}")
