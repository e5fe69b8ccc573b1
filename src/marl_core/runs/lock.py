"""One process at a time trains a run."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marl_core.errors import UserError
from marl_core.notes import note
from marl_core.runs.whole_writes import create_output_folder, naming, remove_parts

_POLL_SECONDS = 0.05
#: What a file system says that knows no locks.
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


@contextmanager
def run_lock(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a run folder while it is looked at and written.

    However the process ends, the system opens the lock. Where the file system knows no locks, a
    line says so, and nothing is held. What killed processes had begun to write is removed.

    Args:
        folder: the run folder; made where there is none, and removed again if it stays empty.
        patience: seconds to wait for another process, which may be about to end.

    Raises:
        UserError: another process trains this run, or the folder cannot be created.
        OSError: the folder cannot be written to.
    """
    if sys.platform == "win32":  # which has no flock
        yield
        return
    missing = _missing(folder)
    create_output_folder(folder, "run folder")
    try:
        with naming(folder / "lock"):
            descriptor = _lock(folder / "lock", time.monotonic() + patience)
        try:
            remove_parts(folder)
            yield
        finally:
            _release(descriptor, folder / "lock")
    finally:
        for made in missing:
            with suppress(OSError):  # it is not empty
                made.rmdir()


def _release(descriptor: int, path: Path) -> None:
    try:
        # Before it is closed: a process that opens the file after this gets a new one.
        with suppress(OSError):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _missing(folder: Path) -> list[Path]:
    """The folders that are to be made, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _lock(path: Path, until: float) -> int:
    """The locked file's descriptor."""
    if sys.platform == "win32":
        raise NotImplementedError
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
        try:
            if _flock(descriptor, path) and _is_still_at(descriptor, path):
                _sign(descriptor)
                return descriptor
            holder = os.pread(descriptor, 200, 0).decode(errors="replace")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() >= until:
            by = holder or "another process"
            message = f"this run is being trained already, by {by}"
            raise UserError(f"{path.parent}: {message}")
        time.sleep(_POLL_SECONDS)


def _sign(descriptor: int) -> None:
    """Write who holds the lock. It holds without that, as where the disk is full."""
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, holder.encode())


def _flock(descriptor: int, path: Path) -> bool:
    if sys.platform == "win32":
        raise NotImplementedError
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        trouble = "this file system has no locks"
        note(f"{path.parent}: {trouble}; see that no other process trains this run")
    return True


def _is_still_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at the path, and not removed by its last holder."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
