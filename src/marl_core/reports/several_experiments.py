"""The figure that compares experiments: a line for each of them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.evaluation.bootstrap import bootstrap_band
from marl_core.rendering.figure_text import figure_text
from marl_core.reports.experiments import Experiment
from marl_core.reports.panels import (
    column_of_panels,
    draw_metrics,
    finish,
    label_shares,
    legend_below,
    legend_inches,
)
from marl_core.reports.wording import is_share, metric_title

_PANEL_INCHES = 3.2
_INTERVAL = "mean over seeds and its 95 % bootstrap interval"

#: An experiment, and its place among all.
_Member = tuple[int, Experiment]


def draw_several(
    experiments: Sequence[Experiment],
    metrics: Sequence[str],
) -> Figure:
    """Draw metrics over episodes: a line for each experiment, a panel for each task and metric.

    Lines are means over the runs, bands their 95 % bootstrap intervals (none for a single run), and
    vertical lines part the stages where all experiments of a panel have the same.

    Args:
        experiments: one or more.
        metrics: their names.
    """
    tasks = _by_task(experiments)
    panels = [(task, metric) for task in tasks for metric in metrics]
    most_lines = max(len(members) for members in tasks.values())
    height = _PANEL_INCHES + legend_inches(most_lines)
    figure, axes = column_of_panels(len(panels), height)
    for axis, (task, metric) in zip(axes, panels, strict=True):
        _draw_panel(axis, tasks[task], metric)
        if len(tasks) > 1:
            axis.set_title(figure_text(task))
        if len(experiments) > 1:
            legend_below(axis)
    figure.suptitle(_title(experiments))
    return figure


def _draw_panel(
    axis: Axes,
    members: Sequence[_Member],
    metric: str,
) -> None:
    for index, experiment in members:
        draw_metrics(
            axis,
            experiment,
            [metric],
            label=experiment.name,
            index=index,
            band=bootstrap_band,
        )
    if is_share(metric):
        label_shares(axis, metric_title(metric))
    else:
        axis.set_ylabel(figure_text(metric_title(metric)))
    finish(axis, [experiment for _, experiment in members])


def _by_task(experiments: Sequence[Experiment]) -> dict[str, list[_Member]]:
    tasks: dict[str, list[_Member]] = {}
    for index, experiment in enumerate(experiments):
        result = experiment.results[0]
        task = f"{result.environment} {result.labels['task']}"
        members = tasks.setdefault(task, [])
        members.append((index, experiment))
    return tasks


def _title(experiments: Sequence[Experiment]) -> str:
    """What lines and bands are; a single run has no interval."""
    counts = {len(experiment.results) for experiment in experiments}
    if 1 not in counts:
        return _INTERVAL
    if len(counts) > 1:
        return f"{_INTERVAL}; none for single runs"
    return "single runs" if len(experiments) > 1 else "a single run"
