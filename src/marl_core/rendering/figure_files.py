"""Figures as files: equal figures make files that are equal byte for byte."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from marl_core.rendering.formats import file_format
from marl_core.runs.whole_writes import cannot_write, write_output

_DOTS_PER_INCH = 150
#: Times and versions that matplotlib would write into files of these formats.
_LEFT_OUT: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


def figure_file(
    figure: Figure,
    out: Path,
) -> bytes:
    """Encode a figure in the format that a file's ending says.

    Args:
        figure: what to encode.
        out: where the figure shall go; nothing is written.

    Returns:
        The content of the file.

    Raises:
        UserError: the ending stands for no format that matplotlib writes.
    """
    kind = file_format(out)
    if not kind:
        raise cannot_write(out, "figure", "the name needs an ending, as .png")
    content = io.BytesIO()
    left_out = _LEFT_OUT.get(kind)
    with mpl.rc_context({"svg.hashsalt": "marl"}):
        try:
            figure.savefig(content, dpi=_DOTS_PER_INCH, format=kind, metadata=left_out)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise cannot_write(out, "figure", reason) from error
    return content.getvalue()


def write_figure(
    figure: Figure,
    out: Path,
) -> None:
    """Write a figure in the format that the file's ending says, whole or not at all.

    Args:
        figure: what to write.
        out: where the figure goes.

    Raises:
        UserError: the ending stands for no format, or the file cannot be written.
    """
    write_output(out, figure_file(figure, out), "figure")
