"""Learning curves: a line for the mean over runs, in a band that shows how the runs spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from marl_core.rendering.line_styles import LineStyle
from marl_core.reports.log_columns import Points, RunLog

ValuesOfRuns = Float[np.ndarray, "runs points"]
#: The lower and the upper end of a band at each point.
Ends = Float[np.ndarray, "2 points"]
Band = Callable[[ValuesOfRuns], Ends]

_MARKERS_OF_A_LINE = 10
_MARKER_SIZE = 4
_OPACITY_OF_BANDS = 0.2


def range_of_runs(values: ValuesOfRuns) -> Ends:
    """The band from the lowest to the highest run.

    Args:
        values: of each run.
    """
    return np.stack([values.min(axis=0), values.max(axis=0)])


def curve_with_band(
    axis: Axes,
    episodes: Points,
    values: ValuesOfRuns,
    *,
    label: str,
    style: LineStyle,
    band: Band = range_of_runs,
) -> None:
    """Draw the mean over runs and, if there are several, a band.

    Nothing is drawn where there are no points, and no band where its ends are not finite.

    Args:
        axis: to draw into.
        episodes: the places of the points.
        values: of each run at these points.
        label: of the line.
        style: of the line; the band has the same colour.
        band: computes the ends of the band.
    """
    if not len(episodes):
        return
    axis.plot(
        episodes,
        values.mean(axis=0),
        label=label,
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markersize=_MARKER_SIZE,
        markevery=max(1, len(episodes) // _MARKERS_OF_A_LINE),
    )
    if len(values) < 2:
        return
    low, high = band(values)
    known = np.isfinite(low) & np.isfinite(high)
    axis.fill_between(
        episodes,
        low,
        high,
        where=known.tolist(),
        color=style.colour,
        alpha=_OPACITY_OF_BANDS,
        linewidth=0,
    )


def common_curve(
    logs: Iterable[RunLog],
    metrics: Sequence[str],
) -> tuple[Points, ValuesOfRuns]:
    """The mean of metrics over training, for each of several runs.

    Args:
        logs: of each run's ``metrics.csv``.
        metrics: their names; only lines with all of them count.

    Returns:
        The episodes at which the run with the fewest lines was measured, as far as all runs have
        come, and the runs' values there, interpolated where a run was measured at other episodes.
    """
    series = [log.mean_of(metrics) for log in logs]
    shortest = min((episodes for episodes, _ in series), key=len)
    if not len(shortest):
        return shortest, np.empty((len(series), 0))
    first = max(episodes[0] for episodes, _ in series)
    last = min(episodes[-1] for episodes, _ in series)
    common = shortest[(shortest >= first) & (shortest <= last)]
    values = [np.interp(common, own, measured) for own, measured in series]
    return common, np.stack(values)
