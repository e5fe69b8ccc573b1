"""The figures of ``marl report``: learning curves of one experiment, or of several."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.evaluation.statistics import bootstrap_band
from marl_core.rendering.line_styles import line_style
from marl_core.reports.curves import Band, common_curve, curve_with_band, range_of_runs
from marl_core.reports.experiments import Experiment
from marl_core.reports.run_log import is_coupling
from marl_core.reports.wording import metric_title, seeds_text

_WIDTH = 8.0
#: A little more than a share can be, so that lines at 0 and 1 are seen whole.
_LIMITS_OF_SHARES = (-0.03, 1.03)
_LETTERS_OF_A_LINE = 100
_INTERVAL = "mean over seeds and its 95 % bootstrap interval"

_Panel = Callable[[Axes, Experiment], None]


def draw_one(experiment: Experiment) -> Figure:
    """Draw the return and the coupling over episodes; below, win rate and level rewards, if any.

    Lines are means over the runs, bands reach from the lowest to the highest run, and vertical
    lines part the stages.

    Args:
        experiment: with one run or more.
    """
    panels: list[_Panel] = [_draw_return]
    if experiment.measured("greedy/win_rate"):
        panels.append(_draw_win_rate)
    if experiment.level_kinds:
        panels.append(_draw_levels)
    figure, axes = _column_of_axes(
        len(panels),
        height=1 + 2.0 * len(panels),
    )
    for axis, draw in zip(axes, panels, strict=True):
        draw(axis, experiment)
        _finish(axis, [experiment])
    config = experiment.config
    seeds = seeds_text([result.seed for result in experiment.results])
    bands = ": mean, lowest and highest run" if len(experiment.results) > 1 else ""
    title = f"{config.host.name} on {config.environment.name}, {seeds}{bands}"
    figure.suptitle(title)
    return figure


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
    figure, axes = _column_of_axes(
        len(panels),
        height=1 + 3.2 * len(panels),
    )
    for axis, (task, metric) in zip(axes, panels, strict=True):
        members = tasks[task]
        for index, experiment in members:
            _draw_curve(
                axis,
                experiment,
                [metric],
                experiment.name,
                index,
                bootstrap_band,
            )
        _label_values(
            axis,
            metric_title(metric),
            is_share="win_rate" in metric,
        )
        if len(tasks) > 1:
            axis.set_title(task)
        _finish(axis, [experiment for _, experiment in members])
        if len(experiments) > 1:
            _legend_below(axis)
    figure.suptitle(_what_is_shown(experiments))
    return figure


def _column_of_axes(
    count: int,
    height: float,
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots(count, 1, squeeze=False)
    return figure, list(axes.flat)


def _draw_return(
    axis: Axes,
    experiment: Experiment,
) -> None:
    """The greedy team's return and, on an axis of its own, the coupling in training."""
    metric = f"{experiment.measure}/return"
    _draw_curve(
        axis,
        experiment,
        [metric],
        metric_title(metric),
        0,
        range_of_runs,
    )
    axis.set_ylabel("team return")
    couplings = list(filter(is_coupling, experiment.results[0].metrics))
    if not couplings:
        return
    twin = axis.twinx()
    for index, name in enumerate(couplings, start=1):
        _draw_curve(
            twin,
            experiment,
            [name],
            metric_title(name),
            index,
            range_of_runs,
        )
    _label_values(twin, "probability", is_share=True)
    _legend_above(axis, twin)


def _draw_win_rate(
    axis: Axes,
    experiment: Experiment,
) -> None:
    for index, metric in enumerate(("greedy/win_rate", "sampled/win_rate")):
        title = metric_title(metric)
        _draw_curve(
            axis,
            experiment,
            [metric],
            title,
            index,
            range_of_runs,
        )
    _label_values(axis, "win rate", is_share=True)
    axis.legend(loc="best")


def _draw_levels(
    axis: Axes,
    experiment: Experiment,
) -> None:
    for index, (kind, names) in enumerate(experiment.level_kinds.items()):
        metrics = [f"{experiment.measure}/{name}" for name in names]
        _draw_curve(
            axis,
            experiment,
            metrics,
            f"levels {kind}",
            index,
            range_of_runs,
        )
    axis.set_ylabel("mean reward of a level")
    axis.legend(loc="best")


def _draw_curve(
    axis: Axes,
    experiment: Experiment,
    metrics: Sequence[str],
    label: str,
    index: int,
    band: Band,
) -> None:
    episodes, values = common_curve(experiment.logs, metrics)
    style = line_style(index)
    curve_with_band(
        axis,
        episodes,
        values,
        label=label,
        style=style,
        band=band,
    )


def _by_task(
    experiments: Sequence[Experiment],
) -> dict[str, list[tuple[int, Experiment]]]:
    """The experiments of each task, with their places among all."""
    tasks: dict[str, list[tuple[int, Experiment]]] = {}
    for index, experiment in enumerate(experiments):
        result = experiment.results[0]
        task = f"{result.environment} {result.labels['task']}"
        tasks.setdefault(task, []).append((index, experiment))
    return tasks


def _what_is_shown(experiments: Sequence[Experiment]) -> str:
    counts = {len(experiment.results) for experiment in experiments}
    if counts == {1}:
        return "single runs" if len(experiments) > 1 else "a single run"
    return f"{_INTERVAL}; none for single runs" if 1 in counts else _INTERVAL


def _label_values(
    axis: Axes,
    label: str,
    *,
    is_share: bool,
) -> None:
    axis.set_ylabel(label)
    if is_share:
        axis.set_ylim(*_LIMITS_OF_SHARES)


def _legend_above(
    axis: Axes,
    twin: Axes,
) -> None:
    lines = [*axis.get_lines(), *twin.get_lines()]
    labels = [str(line.get_label()) for line in lines]
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
    axis.legend(
        lines,
        labels,
        **place,
        ncols=2,
        frameon=False,
    )


def _legend_below(axis: Axes) -> None:
    """A legend of one line or more for each experiment, because their names can be long."""
    handles, labels = axis.get_legend_handles_labels()
    if not handles:
        return
    wrapped = [textwrap.fill(label, _LETTERS_OF_A_LINE) for label in labels]
    place = {"loc": "upper left", "bbox_to_anchor": (0, -0.16)}
    axis.legend(
        handles,
        wrapped,
        **place,
        frameon=False,
        fontsize="small",
    )


def _finish(
    axis: Axes,
    experiments: Sequence[Experiment],
) -> None:
    """Add a grid, the label of the episodes, and lines between the stages."""
    axis.set_xlabel("episodes")
    axis.grid(alpha=0.3)
    first, *others = [_lengths_of_stages(experiment) for experiment in experiments]
    if all(lengths == first for lengths in others):
        for boundary in np.cumsum(first)[:-1]:
            axis.axvline(
                boundary,
                color="black",
                linestyle=":",
                linewidth=1,
            )


def _lengths_of_stages(experiment: Experiment) -> list[int]:
    return [stage.episodes for stage in experiment.config.stages]
