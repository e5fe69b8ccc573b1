"""Means over runs with their intervals as bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from marl_core.evaluation.statistics import Interval
from marl_core.rendering.line_styles import LineStyle, line_style
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_pr.paper.scores import Reading, are_single_runs, by_label, mean_of, select

_MARKER_SIZE = 5
_CAP_SIZE = 3


def what_bars_show(results: Sequence[RunResult]) -> str:
    """Say what the points and bars of ``interval_bars`` are.

    Args:
        results: all runs of the figure.
    """
    if are_single_runs(results):
        return "single runs"
    return "means over runs; bars: 95 % bootstrap intervals"


def bars_of_each(
    axis: Axes,
    results: Sequence[RunResult],
    algorithms: Sequence[str],
    across: str,
    reading: Reading,
) -> None:
    """Draw ``interval_bars`` over the values of a label, for each algorithm in its own style.

    Args:
        axis: the plot.
        results: of the runs that there are.
        algorithms: their names.
        across: the name of the label whose values are the places on the horizontal axis.
        reading: takes the number to draw from a run.
    """
    for index, algorithm in enumerate(algorithms):
        groups = by_label(select(results, algorithm=algorithm), across)
        interval_bars(axis, groups, reading, algorithm, line_style(index))


def interval_bars(
    axis: Axes,
    groups: Mapping[Label, Sequence[RunResult]],
    reading: Reading,
    label: str,
    style: LineStyle,
) -> None:
    """Draw the mean over runs at each place, with its interval as a bar.

    A place without runs is left out. The mean of a single run has no bar, because nothing is known
    of its interval.

    Args:
        axis: the plot.
        groups: the runs at each place on the horizontal axis.
        reading: takes the number to draw from a run.
        label: of the line in the legend.
        style: of the line.
    """
    means: dict[Label, Interval] = {}
    for place, runs in groups.items():
        interval = mean_of(runs, reading)
        if interval is not None:
            means[place] = interval
    if not means:
        return
    axis.errorbar(
        list(means),
        [interval.mean for interval in means.values()],
        yerr=_bar_lengths(means.values()),
        label=label,
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markersize=_MARKER_SIZE,
        capsize=_CAP_SIZE,
    )


def _bar_lengths(
    intervals: Iterable[Interval],
) -> Float[np.ndarray, "2 places"] | None:
    """How far each bar reaches below and above its mean.

    Returns:
        The lengths, NaN where an interval is not known; None where no interval is.
    """
    ends = [(one.mean - one.low, one.high - one.mean) for one in intervals]
    lengths = np.array(ends).T
    known = np.isfinite(lengths)
    if not known.any():
        return None
    return np.where(known, lengths.clip(min=0), np.nan)
