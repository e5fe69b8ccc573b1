"""``marl render``: a run's episode as a page, a picture or a film."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from marl_core.errors import UserError
from marl_core.rendering.episode import Episode, History, Mode, record
from marl_core.rendering.viewer import HasViewer, Viewer
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import write_whole
from marl_core.types import Progress

if TYPE_CHECKING:
    from matplotlib.animation import AbstractMovieWriter

PAGE = frozenset({"html"})
PICTURES = frozenset({"pdf", "png", "svg"})
FILMS = frozenset({"gif", "mp4"})
#: Of films where none is asked for, in pictures a second.
FRAMES_PER_SECOND = 10
#: Of films, in pixels an inch. Even widths and heights result from whole inches: mp4 needs them.
_FILM_DPI = 100


def render_run(
    run: Path,
    out: Path,
    mode: Mode = "greedy",
    seed: int = 0,
    step: int | None = None,
    fps: int | None = None,
) -> Episode:
    """Record an episode by a run's newest checkpoint and write it; what is written is said by the file's ending.

    Args:
        run: the run folder, which stays as it is.
        out: the file.
        mode: how the team acts.
        seed: which episode.
        step: for a picture: which one of the film; by default the viewer's choice.
        fps: for a film: pictures a second.

    Raises:
        UserError: there is nothing to show, or no way to show it, or it cannot be written.
    """
    kind = _check_out(out, step, fps)
    folder = RunFolder(run)
    state = newest_state(folder)
    name = folder.path.resolve().name
    environment, episode = record(
        state, mode, seed, name=name, history=_history(folder, state.progress)
    )
    if not isinstance(environment, HasViewer):
        raise UserError(
            f"environment '{state.config.environment.name}' has no picture: it brings no viewer() along"
        )
    viewer = environment.viewer()
    if kind in PAGE:
        content = viewer.page(episode).encode()
    elif kind in FILMS:
        content = _film(viewer, episode, kind, fps or FRAMES_PER_SECOND)
    else:
        content = _picture(viewer, episode, out, step)
    try:
        write_whole(out, content)
    except OSError as error:
        raise UserError(f"{out}: cannot write it: {error.strerror}") from error
    return episode


def _check_out(out: Path, step: int | None, fps: int | None) -> str:
    """The format, before any work is done."""
    kind = out.suffix.removeprefix(".").lower()
    known = sorted(PAGE | PICTURES | FILMS)
    if kind not in known:
        found = f"'.{kind}' is none" if kind else "the name has none"
        raise UserError(
            f"{out}: the ending says what to write, but {found} of {', '.join(known)}"
        )
    if step is not None and kind not in PICTURES:
        raise UserError(
            f"--step is for one picture ({', '.join(sorted(PICTURES))}); {out} is not one"
        )
    if fps is not None and kind not in FILMS:
        raise UserError(
            f"--fps is for films ({', '.join(sorted(FILMS))}); {out} is not one"
        )
    if out.is_dir():
        raise UserError(f"{out}: cannot write it: Is a directory")
    if not out.parent.is_dir():
        raise UserError(f"{out}: cannot write it: there is no folder {out.parent}")
    if kind == "mp4":
        from matplotlib.animation import FFMpegWriter

        if not FFMpegWriter.isAvailable():
            raise UserError(
                f"{out}: mp4 needs the program ffmpeg, which is not installed; .gif and .html do not"
            )
    return kind


def _history(folder: RunFolder, progress: Progress) -> History:
    """The kept policies up to the checkpoint: a run that was interrupted may have kept some of later."""
    try:
        kept = folder.policies()
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{folder.policies_folder}: the policies kept there cannot be read ({error})"
        ) from error
    return tuple(
        (episodes, policies)
        for episodes, policies in kept
        if episodes <= progress.episodes
    )


def _picture(viewer: Viewer, episode: Episode, out: Path, step: int | None) -> bytes:
    from matplotlib.figure import Figure

    from marl_core.reports.curves import figure_file

    count = viewer.frames(episode)
    if step is not None and not 0 <= step < count:
        raise UserError(
            f"--step {step}: there are {count} pictures, from 0 to {count - 1}"
        )
    figure = Figure(figsize=viewer.size, layout="constrained")
    viewer.draw(figure, episode, viewer.still(episode) if step is None else step)
    return figure_file(figure, out)


def _film(viewer: Viewer, episode: Episode, kind: str, fps: int) -> bytes:
    from matplotlib.animation import FFMpegWriter, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    writers: dict[str, Callable[[int], AbstractMovieWriter]] = {
        "gif": lambda fps: PillowWriter(fps=fps),
        "mp4": lambda fps: FFMpegWriter(
            fps=fps, codec="h264", extra_args=["-pix_fmt", "yuv420p"]
        ),
    }
    figure = Figure(figsize=viewer.size, layout="constrained")
    FigureCanvasAgg(figure)
    writer = writers[kind](fps)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / f"film.{kind}"
        with writer.saving(figure, str(film), _FILM_DPI):
            for frame in range(viewer.frames(episode)):
                figure.clear()
                viewer.draw(figure, episode, frame)
                writer.grab_frame()
        return film.read_bytes()
