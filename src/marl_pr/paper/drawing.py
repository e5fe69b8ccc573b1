"""What the figures have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from marl_core.rendering.figure_files import write_figure
from marl_core.rendering.line_styles import LineStyle, line_style
from marl_core.reports.curves import curve_with_band
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_pr.paper.experiments import OPTIMUM
from marl_pr.paper.scores import Reading, by_label, mean_of, select, values_of

#: The metric that says how probable resonance was in training.
IN_RESONANCE = "coupling/in resonance"


def one_axis(
    across: str, up: str, size: tuple[float, float] = (7, 4)
) -> tuple[Figure, Axes]:
    """A figure of one plot with these labels."""
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.3)
    return figure, axis


def interval_bars(
    axis: Axes,
    groups: Mapping[Label, Sequence[RunResult]],
    reading: Reading,
    label: str,
    colour: int,
) -> None:
    """Means over the runs at each place on the axis, with their intervals as bars; places without runs are left out."""
    known = {
        place: interval
        for place, runs in groups.items()
        if (interval := mean_of(runs, reading)) is not None
    }
    if not known:
        return
    middle = np.array([one.mean for one in known.values()])
    ends = np.array(
        [[one.mean - one.low, one.high - one.mean] for one in known.values()]
    ).T
    ends = np.where(
        np.isfinite(ends), ends.clip(min=0), 0
    )  # of a single run nothing is known
    axis.errorbar(
        list(known),
        middle,
        yerr=ends,
        label=label,
        color=f"C{colour}",
        capsize=3,
        marker=".",
    )


def bars_of_each(
    axis: Axes,
    results: Sequence[RunResult],
    algorithms: Sequence[str],
    across: str,
    reading: Reading,
) -> None:
    """``interval_bars`` over the values of a label, for each algorithm in a colour of its own."""
    for place, algorithm in enumerate(algorithms):
        interval_bars(
            axis,
            by_label(select(results, algorithm=algorithm), across),
            reading,
            algorithm,
            place,
        )


def add_legend(axis: Axes, *others: Axes) -> None:
    """A legend above the plot, of all that has a label on axes that share a place, if anything has."""
    parts = [part.get_legend_handles_labels() for part in (axis, *others)]
    handles = [handle for found, _ in parts for handle in found]
    if handles:
        labels = [label for _, found in parts for label in found]
        axis.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            frameon=False,
        )


def mark_optimum(axis: Axes) -> None:
    """The dotted line of the paper's figures."""
    axis.axhline(OPTIMUM, color="black", linestyle=":", linewidth=1)


def team_size_scale(axis: Axes, teams: Sequence[float]) -> None:
    """N on a logarithmic axis, with the teams that there are."""
    if teams:
        axis.set_xscale("log")
        axis.set_xticks(teams, [f"{agents:g}" for agents in teams])
        axis.minorticks_off()


def return_curves(groups: Mapping[str, Sequence[RunResult]]) -> Figure:
    """FME: exact return over episodes for each group of runs that resonate in their second stage."""
    figure = resonance_curves(groups, "exact/return", "return of the greedy team")
    mark_optimum(figure.axes[0])
    return figure


def resonance_curves(
    groups: Mapping[str, Sequence[RunResult]], metric: str, up: str
) -> Figure:
    """A metric over episodes for each group of runs; eta, of the first group that resonates, on a second axis."""
    figure, axis = one_axis("episodes", up)
    for place, (label, runs) in enumerate(groups.items()):
        curve_band(axis, runs, metric, label, line_style(place))
    resonating = next(
        (
            runs
            for runs in groups.values()
            if any("eta_max" in run.labels for run in runs)
        ),
        [],
    )
    twin = axis.twinx()
    grey = LineStyle("#7f7f7f", marker="", dashes="--")
    curve_band(twin, resonating, IN_RESONANCE, "resonance probability", grey)
    twin.set_ylim(0, 1)
    twin.set_ylabel("resonance probability eta (training only)")
    add_legend(axis, twin)
    return figure


def curve_band(
    axis: Axes,
    runs: Sequence[RunResult],
    metric: str,
    label: str,
    style: LineStyle,
) -> None:
    """Draw a metric over episodes: the mean over runs, in a band from the lowest to the highest.

    Args:
        axis: to draw into.
        runs: those without the metric are left out.
        metric: its name.
        label: of the line.
        style: of the line; the band has the same colour.
    """
    measured = [run for run in runs if metric in run.metrics]
    if measured:
        episodes = np.array(measured[0].episodes)
        values = np.stack([run.metrics[metric] for run in measured])
        curve_with_band(axis, episodes, values, label=label, style=style)


def heat_map(
    axis: Axes,
    runs: Sequence[RunResult],
    *,
    across: str,
    up: str,
    reading: Reading,
    limits: tuple[float, float],
) -> AxesImage:
    """The mean over runs for each pair of two labels' values, written into its cell; empty where no run is."""
    columns, rows = values_of(runs, across), values_of(runs, up)
    means = np.full((max(1, len(rows)), max(1, len(columns))), np.nan)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            interval = mean_of(select(runs, **{up: row, across: column}), reading)
            if interval is not None:
                means[y, x] = interval.mean
                bright = interval.mean > (limits[0] + 2 * limits[1]) / 3
                colour = "black" if bright else "white"
                axis.text(
                    x, y, f"{interval.mean:.2f}", ha="center", va="center", color=colour
                )
    image = axis.imshow(
        means,
        origin="lower",
        aspect="auto",
        cmap="viridis",
        vmin=limits[0],
        vmax=limits[1],
    )
    axis.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axis.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    return image


def save_figure(figure: Figure, folder: Path) -> None:
    """Write ``figure.png`` and ``figure.svg``: equal figures make equal files."""
    for name in ("figure.svg", "figure.png"):
        write_figure(figure, folder / name)
