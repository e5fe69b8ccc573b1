"""One process at a time trains a run."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marl_core.errors import UserError

_POLL_SECONDS = 0.05


@contextmanager
def run_lock(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a run folder while the run is trained.

    However the process ends, the system opens the lock.

    Args:
        folder: the run folder; made where there is none.
        patience: seconds to wait for another process, which may be about to end.

    Raises:
        UserError: another process trains this run.
    """
    if sys.platform == "win32":  # which has no flock
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    descriptor = _lock(path, time.monotonic() + patience)
    try:
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        os.ftruncate(descriptor, 0)
        os.write(descriptor, holder.encode())
        yield
    finally:
        # Before it is closed: a process that opens the file after this gets a new one.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path, until: float) -> int:
    """The locked file's descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if _flock(descriptor) and _is_still_at(descriptor, path):
            return descriptor
        holder = os.pread(descriptor, 200, 0).decode(errors="replace")
        os.close(descriptor)
        if time.monotonic() >= until:
            by = holder or "another process"
            message = f"this run is being trained already, by {by}"
            raise UserError(f"{path.parent}: {message}")
        time.sleep(_POLL_SECONDS)


def _flock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at the path, and not removed by its last holder."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
