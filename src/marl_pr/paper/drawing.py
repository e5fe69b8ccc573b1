"""What the figures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.evaluation.results import RunResult
from marl_pr.paper.scores import Reading, mean_of, select, values_of


def one_axis(across: str, up: str, size: tuple[float, float] = (7, 4)) -> tuple[Figure, Axes]:
    """A figure of one plot with these labels."""
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.3)
    return figure, axis


def interval_bars(
    axis: Axes, runs: Sequence[RunResult], over: str, reading: Reading, label: str, colour: int
) -> None:
    """Means over runs at each value of the label ``over``, with their intervals as bars."""
    places = values_of(runs, over)
    intervals = [mean_of(select(runs, **{over: place}), reading) for place in places]
    known = [(place, one) for place, one in zip(places, intervals, strict=True) if one is not None]
    if not known:
        return
    middle = np.array([one.mean for _, one in known])
    ends = np.array([[one.mean - one.low, one.high - one.mean] for _, one in known]).T.clip(min=0)
    axis.errorbar([place for place, _ in known], middle, yerr=ends, label=label, color=f"C{colour}", capsize=3, marker=".")


def curve_band(axis: Axes, runs: Sequence[RunResult], metric: str, label: str, colour: str) -> None:
    """A metric over episodes: the mean over runs, and a band from the lowest to the highest."""
    runs = [run for run in runs if metric in run.metrics]
    if not runs:
        return
    shortest = min(runs, key=lambda run: len(run.episodes))
    episodes = np.asarray(shortest.episodes, dtype=float)
    values = np.stack([np.asarray(run.metrics[metric], dtype=float)[: len(episodes)] for run in runs])
    axis.plot(episodes, values.mean(0), label=label, color=colour)
    axis.fill_between(episodes, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)


def save_figure(figure: Figure, folder: Path) -> None:
    """Write ``figure.png`` and ``figure.svg``: equal figures make equal files."""
    with mpl.rc_context({"svg.hashsalt": "marl"}):
        figure.savefig(folder / "figure.svg", metadata={"Date": None})
        figure.savefig(folder / "figure.png", dpi=150, metadata={"Software": None})
