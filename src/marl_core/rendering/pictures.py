"""Pictures and films of an episode, drawn by its environment's viewer."""

from __future__ import annotations

import tempfile
from pathlib import Path

from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marl_core.errors import UserError
from marl_core.rendering.episode import Episode
from marl_core.rendering.figure_files import figure_file
from marl_core.rendering.viewer import Viewer

#: Of films, in pixels an inch. Whole inches then make even widths and heights, which mp4 needs.
_FILM_DPI = 100


def picture(
    viewer: Viewer,
    episode: Episode,
    out: Path,
    step: int | None,
) -> bytes:
    """Draw one picture.

    Args:
        viewer: of the episode's environment.
        episode: what to show.
        out: the file that the picture is for; its ending says the format.
        step: which picture of the film; None: the viewer's choice.

    Returns:
        The content of the file.

    Raises:
        UserError: there is no such picture.
    """
    count = viewer.frames(episode)
    frame = viewer.still(episode) if step is None else step
    if not 0 <= frame < count:
        known = f"there are {count} pictures, from 0 to {count - 1}"
        raise UserError(f"--step {step}: {known}")
    figure = Figure(figsize=viewer.size, layout="constrained")
    viewer.draw(figure, episode, frame)
    return figure_file(figure, out)


def film(
    viewer: Viewer,
    episode: Episode,
    kind: str,
    fps: int,
) -> bytes:
    """Draw a film.

    Args:
        viewer: of the episode's environment.
        episode: what to show.
        kind: the format, ``gif`` or ``mp4``.
        fps: pictures a second.

    Returns:
        The content of the file.
    """
    figure = Figure(figsize=viewer.size, layout="constrained")
    FigureCanvasAgg(figure)
    writer = _writer(kind, fps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film.{kind}"
        with writer.saving(figure, str(path), _FILM_DPI):
            for frame in range(viewer.frames(episode)):
                figure.clear()
                viewer.draw(figure, episode, frame)
                writer.grab_frame()
        return path.read_bytes()


def _writer(
    kind: str,
    fps: int,
) -> AbstractMovieWriter:
    if kind == "gif":
        return PillowWriter(fps=fps)
    # Players need this format of pixels.
    pixels = ["-pix_fmt", "yuv420p"]
    return FFMpegWriter(fps=fps, codec="h264", extra_args=pixels)
