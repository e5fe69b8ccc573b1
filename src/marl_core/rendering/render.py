"""``marl render``: a run's episode as a page, a picture or a film."""

from __future__ import annotations

from pathlib import Path

from marl_core.errors import UserError
from marl_core.rendering.episode import Episode, History, Mode
from marl_core.rendering.formats import FILMS, PAGES, check_format, file_format
from marl_core.rendering.recording import record
from marl_core.rendering.viewer import HasViewer, Viewer
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import write_output
from marl_core.types import Progress

#: Of films for which no number is asked, in pictures a second.
FRAMES_PER_SECOND = 10


def render_run(
    folder: RunFolder,
    out: Path,
    mode: Mode = "greedy",
    seed: int = 0,
    step: int | None = None,
    fps: int | None = None,
) -> Episode:
    """Record an episode by a run's newest checkpoint and write it.

    Args:
        folder: of the run; it stays as it is.
        out: the file; its ending says what is written.
        mode: how the team acts.
        seed: which episode.
        step: for a picture: which one of the film; by default the viewer's choice.
        fps: for a film: pictures a second.

    Returns:
        The episode.

    Raises:
        UserError: there is nothing to show, or no way to show it, or it cannot be written.
    """
    check_format(out, step, fps)
    state = newest_state(folder)
    environment, episode = record(
        state,
        mode,
        seed,
        name=folder.path.resolve().name,
        history=_history(folder, state.progress),
    )
    if not isinstance(environment, HasViewer):
        name = state.config.environment.name
        message = "has no picture: it brings no viewer() along"
        raise UserError(f"environment '{name}' {message}")
    content = _content(environment.viewer(), episode, out, step, fps)
    write_output(out, content, "episode")
    return episode


def _content(
    viewer: Viewer,
    episode: Episode,
    out: Path,
    step: int | None,
    fps: int | None,
) -> bytes:
    """What the file shall hold."""
    kind = file_format(out)
    if kind in PAGES:
        return viewer.page(episode).encode()
    # Pages need no matplotlib, which takes its time to import.
    from marl_core.rendering.pictures import film, picture

    if kind in FILMS:
        return film(viewer, episode, kind, fps or FRAMES_PER_SECOND)
    return picture(viewer, episode, out, step)


def _history(
    folder: RunFolder,
    progress: Progress,
) -> History:
    """The kept policies up to the checkpoint: an interrupted run may have kept later ones."""
    try:
        kept = folder.policies()
    except (ValueError, EOFError) as error:
        message = f"the policies kept there cannot be read ({error})"
        raise UserError(f"{folder.policies_folder}: {message}") from error
    before = [entry for entry in kept if entry[0] <= progress.episodes]
    return tuple(before)
