"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marl_core.errors import UserError

#: How the names of files end that are being written. What a kill leaves of them may be removed.
PART = ".part"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part of it.

    What is written lasts once this returns, whatever happens to the machine's power.

    Args:
        path: where the file goes; an existing file is replaced.
        content: all of the file.

    Raises:
        OSError: the file cannot be written. It names the file.
    """
    part = write_part(path, content)
    take_place(part, path)


def write_part(path: Path, content: bytes) -> Path:
    """Write a file's new content beside it.

    Args:
        path: of the file.
        content: all of the file.

    Returns:
        Where the content is. Every call chooses a name of its own, so that two processes never
        write into one file.

    Raises:
        OSError: it cannot be written. It names the file.
    """
    part = path.with_name(f"{path.name}.{os.urandom(4).hex()}{PART}")
    with naming(path), _removed_unless_done(part), part.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return part


def take_place(part: Path, path: Path) -> None:
    """Have a file's new content take the place of the old.

    Args:
        part: where the content is.
        path: of the file.

    Raises:
        OSError: it cannot. It names the file.
    """
    with naming(path), _removed_unless_done(part):
        part.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder last, which is more than that files' contents last.

    Args:
        folder: where files were created or renamed.

    Raises:
        OSError: the system cannot promise it.
    """
    if sys.platform == "win32":  # which opens no folders
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # others may write here, and not look
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems know no such thing for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make what was appended to a file last.

    Args:
        path: of the file.

    Raises:
        OSError: the system cannot promise it. It names the file.
    """
    with naming(path), path.open("ab") as file:
        os.fsync(file.fileno())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Inside of it, an error of the system names a file: a full disk does not.

    Args:
        path: of the file that the user knows.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
            error.filename2 = None
        raise


@contextmanager
def naming_at_least(folder: Path) -> Iterator[None]:
    """Inside of it, an error of the system that names no file names a folder.

    Args:
        folder: in which the file is.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(folder)
        raise


@contextmanager
def _removed_unless_done(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what killed processes had begun to write. None may be at work any more.

    Args:
        folder: is searched with all that is in it.
    """
    for part in folder.rglob(f"*{PART}"):
        with suppress(OSError):
            part.unlink()


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
