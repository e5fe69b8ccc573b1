"""Learning curves of two-stage training, with the resonance probability on a second axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering.line_styles import LineStyle, line_style
from marl_core.reports.curves import curve_with_band
from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import add_legend, label_axis, mark_optimum, one_axis
from marl_pr.paper.scores import are_single_runs

#: The metric that says how probable resonance was in training.
IN_RESONANCE = "coupling/in resonance"
_ETA = "resonance probability"
_ETA_STYLE = LineStyle(colour="#7f7f7f", marker="", dashes="--")

#: Runs by the name of their line in the legend.
Groups = Mapping[str, Sequence[RunResult]]


def return_curves(groups: Groups) -> Figure:
    """FME: exact return over episodes, and the optimum.

    Args:
        groups: runs that resonate in their second stage.
    """
    return resonance_curves(
        groups, "exact/return", "return of the greedy team", optimum=True
    )


def resonance_curves(
    groups: Groups,
    metric: str,
    up: str,
    *,
    optimum: bool = False,
) -> Figure:
    """A metric over episodes; eta of the first group that resonates is on a second axis.

    Args:
        groups: the runs of each line.
        metric: the name of the metric.
        up: the label of its axis.
        optimum: whether to mark the optimal return of FME.
    """
    figure, axis = one_axis("episodes", up)
    second = _draw_curves(axis, groups, metric)
    if optimum:
        mark_optimum(axis)
    add_legend(axis, second, title=_what_curves_show(groups))
    return figure


def resonance_plots(groups: Groups, plots: Mapping[str, str]) -> Figure:
    """Several metrics over episodes, one plot below the other, with the legend above the first.

    Args:
        groups: the runs of each line.
        plots: the name of each metric, by the label of its axis.
    """
    figure = Figure(figsize=(7, 1.5 + 3 * len(plots)), layout="constrained")
    axes = figure.subplots(len(plots), 1, squeeze=False)[:, 0]
    for index, (up, metric) in enumerate(plots.items()):
        axis: Axes = axes[index]
        label_axis(axis, "episodes", up)
        second = _draw_curves(axis, groups, metric)
        if index == 0:
            add_legend(axis, second, title=_what_curves_show(groups))
    return figure


def _draw_curves(axis: Axes, groups: Groups, metric: str) -> Axes:
    """Draw a line for each group, and eta on a second axis, which is returned."""
    for index, (label, runs) in enumerate(groups.items()):
        curve_band(axis, runs, metric, label, line_style(index))
    second = axis.twinx()
    curve_band(second, _resonating(groups.values()), IN_RESONANCE, _ETA, _ETA_STYLE)
    second.set_ylim(0, 1)
    second.set_ylabel(f"{_ETA} eta (training only)")
    return second


def _what_curves_show(groups: Groups) -> str:
    if all(are_single_runs(runs) for runs in groups.values()):
        return "single runs"
    return "means over runs; bands: from the lowest run to the highest"


def _resonating(groups: Iterable[Sequence[RunResult]]) -> Sequence[RunResult]:
    """The first group in which a run resonates; without such a group, no runs."""
    for runs in groups:
        if any("eta_max" in run.labels for run in runs):
            return runs
    return []


def curve_band(
    axis: Axes,
    runs: Sequence[RunResult],
    metric: str,
    label: str,
    style: LineStyle,
) -> None:
    """Draw a metric over episodes: the mean over runs, in a band from the lowest to the highest.

    Args:
        axis: the plot.
        runs: those without the metric are left out.
        metric: its name.
        label: of the line in the legend.
        style: of the line; the band has the same colour.
    """
    measured = [run for run in runs if metric in run.metrics]
    if not measured:
        return
    episodes = np.array(measured[0].episodes, dtype=np.float64)
    values = np.stack([run.metrics[metric] for run in measured])
    curve_with_band(axis, episodes, values, label=label, style=style)
