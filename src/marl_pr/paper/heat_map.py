"""Maps of means over runs for each pair of two labels' values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from marl_core.reports.results import RunResult
from marl_pr.paper.scores import Reading, mean_of, select, values_of

#: Above this share of the colour scale viridis is bright, and a cell's number is written in black.
_BRIGHT = 2 / 3


@dataclass(frozen=True)
class Cells:
    """Means over runs for each pair of two labels' values.

    Args:
        across: the name of the label whose values are the columns.
        up: the name of the label whose values are the rows.
        columns: the values of ``across``, ascending.
        rows: the values of ``up``, ascending.
        means: ``[rows, columns]``, NaN where there is no run. At least one cell.
    """

    across: str
    up: str
    columns: list[float]
    rows: list[float]
    means: Float[np.ndarray, "rows columns"]


def cells_of(
    runs: Sequence[RunResult],
    *,
    across: str,
    up: str,
    reading: Reading,
) -> Cells:
    """The means over runs for each pair of two labels' values.

    Args:
        runs: of all cells.
        across: the name of the label whose values are the columns.
        up: the name of the label whose values are the rows.
        reading: takes the number from a run.
    """
    columns = values_of(runs, across)
    rows = values_of(runs, up)
    means = np.full((max(1, len(rows)), max(1, len(columns))), np.nan)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            chosen = select(runs, **{up: row, across: column})
            interval = mean_of(chosen, reading)
            if interval is not None:
                means[y, x] = interval.mean
    return Cells(across, up, columns, rows, means)


def colour_limits(maps: Sequence[Cells]) -> tuple[float, float]:
    """The smallest and the largest mean of several maps, for a colour scale that they share.

    Args:
        maps: without any run in them, the limits are 0 and 1.
    """
    every = np.concatenate([one.means.ravel() for one in maps])
    known = every[np.isfinite(every)]
    if not len(known):
        return 0.0, 1.0
    return float(known.min()), float(known.max())


def draw_heat_map(axis: Axes, cells: Cells, limits: tuple[float, float]) -> AxesImage:
    """Draw a map: a colour for each cell, with its number. A cell without runs is empty.

    Args:
        axis: the plot.
        cells: the means.
        limits: the numbers at the ends of the colour scale.

    Returns:
        The image, for a colour bar.
    """
    image = axis.imshow(
        cells.means,
        origin="lower",
        aspect="auto",
        cmap="viridis",
        vmin=limits[0],
        vmax=limits[1],
    )
    _write_numbers(axis, cells.means, limits)
    axis.set_xticks(range(len(cells.columns)), _tick_labels(cells.columns))
    axis.set_yticks(range(len(cells.rows)), _tick_labels(cells.rows))
    axis.set_xlabel(cells.across)
    axis.set_ylabel(cells.up)
    return image


def _write_numbers(
    axis: Axes,
    means: Float[np.ndarray, "rows columns"],
    limits: tuple[float, float],
) -> None:
    bright = limits[0] + _BRIGHT * (limits[1] - limits[0])
    for (y, x), mean in np.ndenumerate(means):
        if np.isfinite(mean):
            colour = "black" if mean > bright else "white"
            axis.text(
                x,
                y,
                f"{mean:.2f}",
                color=colour,
                horizontalalignment="center",
                verticalalignment="center",
            )


def _tick_labels(values: Sequence[float]) -> list[str]:
    return [f"{value:g}" for value in values]
