"""The figure of one experiment: return, coupling, win rate, rewards of levels."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering.figure_text import figure_text
from marl_core.reports.curves import range_of_runs
from marl_core.reports.experiments import Experiment
from marl_core.reports.panels import (
    column_of_panels,
    draw_metrics,
    finish,
    label_shares,
    legend_above,
)
from marl_core.reports.run_log import is_coupling
from marl_core.reports.wording import metric_title, seeds_text

_PANEL_INCHES = 2.0


def draw_one(experiment: Experiment) -> Figure:
    """Draw the return and the coupling over episodes; below, win rate and level rewards, if any.

    Lines are means over the runs, bands reach from the lowest to the highest run, and vertical
    lines part the stages.

    Args:
        experiment: with one run or more.
    """
    panels: list[Callable[[Axes, Experiment], None]] = [_draw_return]
    if experiment.measured("greedy/win_rate"):
        panels.append(_draw_win_rates)
    if experiment.level_kinds:
        panels.append(_draw_levels)
    figure, axes = column_of_panels(len(panels), _PANEL_INCHES)
    for axis, draw in zip(axes, panels, strict=True):
        draw(axis, experiment)
        finish(axis, [experiment])
    figure.suptitle(figure_text(_title(experiment)))
    return figure


def _title(experiment: Experiment) -> str:
    host = experiment.config.host.name
    environment = experiment.config.environment.name
    seeds = [result.seed for result in experiment.results]
    title = f"{host} on {environment}, {seeds_text(seeds)}"
    if len(seeds) > 1:
        return f"{title}: mean, lowest and highest run"
    return title


def _draw_return(
    axis: Axes,
    experiment: Experiment,
) -> None:
    """The greedy team's return and, on an axis of its own, the coupling in training."""
    _draw_line(
        axis,
        experiment,
        f"{experiment.measure}/return",
        index=0,
    )
    axis.set_ylabel("team return")
    couplings = list(filter(is_coupling, experiment.results[0].metrics))
    if not couplings:
        return
    twin = axis.twinx()
    for index, metric in enumerate(couplings, start=1):
        _draw_line(twin, experiment, metric, index)
    label_shares(twin, "probability")
    legend_above(axis, twin)


def _draw_win_rates(
    axis: Axes,
    experiment: Experiment,
) -> None:
    _draw_line(axis, experiment, "greedy/win_rate", index=0)
    _draw_line(axis, experiment, "sampled/win_rate", index=1)
    label_shares(axis, "win rate")
    axis.legend(loc="best")


def _draw_levels(
    axis: Axes,
    experiment: Experiment,
) -> None:
    """The mean reward of the levels of each kind."""
    for index, (kind, names) in enumerate(experiment.level_kinds.items()):
        metrics = [f"{experiment.measure}/{name}" for name in names]
        draw_metrics(
            axis,
            experiment,
            metrics,
            label=f"levels {kind}",
            index=index,
            band=range_of_runs,
        )
    axis.set_ylabel("mean reward of a level")
    axis.legend(loc="best")


def _draw_line(
    axis: Axes,
    experiment: Experiment,
    metric: str,
    index: int,
) -> None:
    draw_metrics(
        axis,
        experiment,
        [metric],
        label=metric_title(metric),
        index=index,
        band=range_of_runs,
    )
