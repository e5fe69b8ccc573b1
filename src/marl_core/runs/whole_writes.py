"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from marl_core.errors import UserError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part of it.

    Args:
        path: where the file goes; an existing file is replaced.
        content: all of the file.

    Raises:
        OSError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_output(path: Path, content: bytes, what: str) -> None:
    """Write a file that the user asked for, whole or not at all.

    Args:
        path: where the file goes; an existing file is replaced.
        content: all of the file.
        what: what the file holds, for the message: ``figure``, ``results``.

    Raises:
        UserError: the file cannot be written.
    """
    check_output(path, what)
    try:
        write_whole(path, content)
    except OSError as error:
        raise cannot_write(path, what, error.strerror) from error


def check_output(path: Path, what: str) -> None:
    """Refuse a place where no file can be written, before any work is done.

    Args:
        path: where the file shall go.
        what: what the file shall hold, for the message.

    Raises:
        UserError: the path is a folder, or its parent is none.
    """
    if path.is_dir():
        raise cannot_write(path, what, "it is a folder")
    if not path.parent.is_dir():
        raise cannot_write(path, what, f"there is no folder {path.parent}")


def create_output_folder(path: Path, what: str) -> None:
    """Create a folder that the user asked for, and its parents; it may exist already.

    Args:
        path: the folder.
        what: what the folder is, for the message: ``run folder``.

    Raises:
        UserError: the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: cannot create the {what}: {error.strerror}"
        ) from error


def cannot_write(path: Path, what: str, reason: str | None) -> UserError:
    """The error that says why a file of the user's could not be written.

    Args:
        path: where the file should have gone.
        what: what the file should have held.
        reason: why it could not be written.
    """
    return UserError(f"{path}: cannot write the {what}: {reason}")
