"""What the panels of all figures of ``marl report`` have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from marl_core.rendering.figure_text import figure_text
from marl_core.rendering.line_styles import line_style
from marl_core.reports.curves import Band, common_curve, curve_with_band
from marl_core.reports.experiments import Experiment

_WIDTH = 8.0
#: For titles and labels of axes.
_HEIGHT_BESIDE_PANELS = 1.0
#: A little more than a share can be, so that lines at 0 and 1 are seen whole.
_LIMITS_OF_SHARES = (-0.03, 1.03)
_LETTERS_OF_A_LINE = 100
_NAMED_LINES = 20
_NAMES_WITH_ROOM = 3
_INCHES_OF_A_NAME = 0.18


def column_of_panels(
    count: int,
    height: float,
) -> tuple[Figure, list[Axes]]:
    """An empty figure of panels, one below the other.

    Args:
        count: the number of panels.
        height: of each, in inches.
    """
    size = (_WIDTH, _HEIGHT_BESIDE_PANELS + height * count)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(count, 1, squeeze=False)
    return figure, list(axes.flat)


def draw_metrics(
    axis: Axes,
    experiment: Experiment,
    metrics: Sequence[str],
    *,
    label: str,
    index: int,
    band: Band,
) -> None:
    """Draw the mean of metrics over episodes, with a band, as far as all runs have come.

    Args:
        axis: to draw into.
        experiment: whose runs are drawn.
        metrics: their names.
        label: of the line.
        index: which line of the figure it is, for its style.
        band: computes the ends of the band.
    """
    episodes, values = common_curve(experiment.logs, metrics)
    curve_with_band(
        axis,
        episodes,
        values,
        label=figure_text(label),
        style=line_style(index),
        band=band,
    )


def label_shares(
    axis: Axes,
    label: str,
) -> None:
    """Label an axis of shares, and let it show all of 0 to 1.

    Args:
        axis: of a panel.
        label: what the shares are.
    """
    axis.set_ylabel(figure_text(label))
    axis.set_ylim(*_LIMITS_OF_SHARES)


def legend_above(
    axis: Axes,
    twin: Axes,
) -> None:
    """Add a legend above a panel for the lines of two axes.

    Args:
        axis: of the panel.
        twin: the other axis of the same panel.
    """
    lines = [*axis.get_lines(), *twin.get_lines()]
    labels = [str(line.get_label()) for line in lines]
    axis.legend(
        lines,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        frameon=False,
    )


def legend_inches(lines: int) -> float:
    """How much higher a panel has to be for what ``legend_below`` puts below it.

    Args:
        lines: of the panel. A panel has room for the names of a few of them.
    """
    named = min(lines, _NAMED_LINES + 1)
    return _INCHES_OF_A_NAME * max(0, named - _NAMES_WITH_ROOM)


def legend_below(axis: Axes) -> None:
    """Add a legend below a panel; each name gets a line or more, because names can be long.

    Of a great many lines the first are named, and the others are counted.

    Args:
        axis: of the panel.
    """
    handles, labels = axis.get_legend_handles_labels()
    if not handles:
        return
    others = len(handles) - _NAMED_LINES
    if others > 0:
        nothing = Line2D([], [], linestyle="none")
        handles = [*handles[:_NAMED_LINES], nothing]
        labels = [*labels[:_NAMED_LINES], f"and {others:,} more"]
    wrapped = [textwrap.fill(label, _LETTERS_OF_A_LINE) for label in labels]
    axis.legend(
        handles,
        wrapped,
        loc="upper left",
        bbox_to_anchor=(0, -0.16),
        frameon=False,
        fontsize="small",
    )


def finish(
    axis: Axes,
    experiments: Sequence[Experiment],
) -> None:
    """Add a grid, the label of the episodes and, if all have the same stages, lines between them.

    Args:
        axis: of the panel.
        experiments: what is drawn in the panel.
    """
    axis.set_xlabel("episodes")
    axis.grid(alpha=0.3)
    first, *others = map(_lengths_of_stages, experiments)
    if any(lengths != first for lengths in others):
        return
    for boundary in np.cumsum(first)[:-1]:
        axis.axvline(
            boundary,
            color="black",
            linestyle=":",
            linewidth=1,
        )


def _lengths_of_stages(experiment: Experiment) -> list[int]:
    return [stage.episodes for stage in experiment.config.stages]
