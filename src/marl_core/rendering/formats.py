"""What an episode can be written as: a page, a picture or a film, by the ending of the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from marl_core.errors import UserError
from marl_core.runs.whole_writes import check_output

PAGES = frozenset({"html"})
PICTURES = frozenset({"pdf", "png", "svg"})
FILMS = frozenset({"gif", "mp4"})


def file_format(out: Path) -> str:
    """The format of a file: its ending, without a dot and in lower case.

    Args:
        out: the file.
    """
    return out.suffix.removeprefix(".").lower()


def check_format(
    out: Path,
    step: int | None,
    fps: int | None,
) -> None:
    """Refuse what cannot be written, before any work is done.

    Args:
        out: the file; its ending says the format.
        step: which picture was asked for, if a certain one.
        fps: how many pictures a second were asked for, if a certain number.

    Raises:
        UserError: the format is unknown or does not fit what was asked for, or the file cannot be
            written.
    """
    kind = file_format(out)
    known = PAGES | PICTURES | FILMS
    if kind not in known:
        found = f"'.{kind}' is none" if kind else "the name has none"
        message = f"the ending says what to write, but {found} of {_listed(known)}"
        raise UserError(f"{out}: {message}")
    if step is not None and kind not in PICTURES:
        only = f"--step is for one picture ({_listed(PICTURES)})"
        raise UserError(f"{only}; {out} is not one")
    if fps is not None and kind not in FILMS:
        only = f"--fps is for films ({_listed(FILMS)})"
        raise UserError(f"{only}; {out} is not one")
    check_output(out, "episode")
    if kind == "mp4":
        _check_ffmpeg(out)


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))


def _check_ffmpeg(out: Path) -> None:
    from matplotlib.animation import FFMpegWriter

    if not FFMpegWriter.isAvailable():
        message = "mp4 needs the program ffmpeg, which is not installed"
        raise UserError(f"{out}: {message}; .gif and .html do not")
