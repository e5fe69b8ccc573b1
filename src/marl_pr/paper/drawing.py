"""What all figures have in common: axes, legends, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering.figure_files import write_figure
from marl_pr.paper.fixed_settings import OPTIMUM

#: Where a legend of several plots can go, in matplotlib's words.
Outside = Literal["outside upper left", "outside right upper"]

_TEAM_SIZE = "N, agents in the team"


def one_axis(
    across: str,
    up: str,
    size: tuple[float, float] = (7, 4),
) -> tuple[Figure, Axes]:
    """A figure with one plot.

    Args:
        across: the label of the horizontal axis.
        up: the label of the vertical axis.
        size: width and height in inches.
    """
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    label_axis(axis, across, up)
    return figure, axis


def label_axis(axis: Axes, across: str, up: str) -> None:
    """Label both axes of a plot, and draw its grid.

    Args:
        axis: the plot.
        across: the label of the horizontal axis.
        up: the label of the vertical axis.
    """
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.3)


def add_legend(axis: Axes, *others: Axes, title: str = "") -> None:
    """Put a legend above a plot, if anything in it has a label.

    Args:
        axis: the plot.
        *others: further axes in the same place.
        title: of the legend.
    """
    handles = []
    labels = []
    for part in (axis, *others):
        found = part.get_legend_handles_labels()
        handles += found[0]
        labels += found[1]
    if not handles:
        return
    axis.legend(
        handles,
        labels,
        title=title,
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        frameon=False,
    )


def add_figure_legend(
    figure: Figure,
    axis: Axes,
    *,
    location: Outside,
    columns: int = 1,
    title: str = "",
) -> None:
    """Put one legend for several plots beside them, if anything in one of them has a label.

    Args:
        figure: all plots.
        axis: the plot whose labels the legend shows.
        location: where it goes.
        columns: the number of its columns.
        title: of the legend.
    """
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            title=title,
            alignment="left",
            loc=location,
            ncols=columns,
            frameon=False,
        )


def mark_optimum(axis: Axes) -> None:
    """Draw the optimal return as a dotted line, as in the paper's figures.

    Args:
        axis: the plot.
    """
    axis.axhline(
        OPTIMUM,
        color="black",
        linestyle=":",
        linewidth=1,
        label=f"optimum, {OPTIMUM:g}",
    )


def team_size_scale(axis: Axes, teams: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic in N, with a tick at each team, and say so in its label.

    Args:
        axis: the plot.
        teams: the values of N; without any, the axis stays linear.
    """
    if not teams:
        axis.set_xlabel(_TEAM_SIZE)
        return
    axis.set_xscale("log")
    axis.set_xlabel(f"{_TEAM_SIZE} (log scale)")
    axis.set_xticks(teams, [f"{agents:g}" for agents in teams])
    axis.minorticks_off()


def save_figure(figure: Figure, folder: Path) -> None:
    """Write ``figure.png`` and ``figure.svg``. Equal figures make equal files.

    Args:
        figure: what to write.
        folder: where to write it.

    Raises:
        UserError: a file cannot be written.
    """
    for name in ("figure.svg", "figure.png"):
        write_figure(figure, folder / name)
