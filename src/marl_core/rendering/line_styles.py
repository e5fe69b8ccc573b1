"""Styles that tell the lines of a figure apart: by colour, by marker, and by dashes."""

from __future__ import annotations

from dataclasses import dataclass

from marl_core.rendering.palette import OKABE_ITO

#: Shapes of matplotlib's, one for each colour.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: Dashes of matplotlib's, one for each round through the colours.
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class LineStyle:
    """How a line is drawn.

    Args:
        colour: as matplotlib takes it.
        marker: the shape that marks points of the line, as matplotlib takes it.
        dashes: matplotlib's line style.
    """

    colour: str
    marker: str
    dashes: str


def line_style(index: int) -> LineStyle:
    """The style of one of a figure's lines. The first 28 lines have different styles.

    Args:
        index: which line of the figure, from 0.
    """
    count = len(OKABE_ITO)
    place = index % count
    dashes = _DASHES[index // count % len(_DASHES)]
    return LineStyle(
        OKABE_ITO[place],
        _MARKERS[place],
        dashes,
    )
