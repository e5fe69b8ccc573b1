"""Makes the k-th operation on the files below a folder fail, as SQLite's tests do.

Every ``open``, ``read``, ``write``, ``fsync``, ``rename``, ``mkdir``, ``unlink``, ``ftruncate`` and
``flock`` is counted, whether it is Python's or the system's, in whatever thread.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

#: ``kill``: the process is killed, in the middle of a write. ``full``: the disk is full from then
#: on. ``eio``: the disk fails once. ``int``: Ctrl-C. ``dead``: as ``kill``, but the process goes on
#: and cannot touch a file any more, so that tests can do it to themselves.
Kind = Literal["none", "kill", "full", "eio", "int", "dead"]

#: What needs no room on the disk.
_NEEDS_NO_ROOM = frozenset({"read", "open to read", "unlink", "rmdir", "flock"})
_NAMED = ("open", "mkdir", "rename", "unlink", "rmdir")


class DeadError(BaseException):
    """What a killed process would never see."""


@final
class Fault:
    """Something that happens at an operation.

    Args:
        folder: below which operations are counted.
        kind: what happens.
        at: the number of the operation, from 1; 0: never.
    """

    def __init__(self, folder: Path, kind: Kind = "none", at: int = 0) -> None:
        self._root = os.path.realpath(folder)
        self._kind = kind
        self._at = at
        self._lock = threading.Lock()
        self.operations: list[str] = []

    def below(self, path: object) -> str | None:
        """The path as seen from the folder; None where it is not below it."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (links stay)
        inside = full == self._root or full.startswith(self._root + os.sep)
        return os.path.relpath(full, self._root) if inside else None

    def of_descriptor(self, descriptor: int) -> str | None:
        """The same for an open file."""
        try:
            return self.below(Path(f"/proc/self/fd/{descriptor}").readlink())
        except OSError:
            return None

    def meet(
        self, what: str, path: str, half: Callable[[], object] | None = None
    ) -> None:
        """Count an operation, and fail if it is the one.

        Args:
            what: is done.
            path: to which file, as seen from the folder.
            half: does a part of it.
        """
        with self._lock:
            self.operations.append(f"{what} {path}")
            count = len(self.operations)
        if self._strikes(what, count):
            self._strike(what, path, half)

    def _strikes(self, what: str, count: int) -> bool:
        if not self._at or count < self._at:
            return False
        if self._kind == "full":
            return what not in _NEEDS_NO_ROOM
        return count == self._at or self._kind == "dead"

    def _strike(self, what: str, path: str, half: Callable[[], object] | None) -> None:
        if self._kind == "int":
            os.kill(os.getpid(), signal.SIGINT)
            return
        if half is not None:
            half()
        if self._kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._kind == "dead":
            raise DeadError
        number = errno.ENOSPC if self._kind == "full" else errno.EIO
        named = (f"{self._root}/{path}",) if what.startswith(_NAMED) else ()
        raise OSError(number, os.strerror(number), *named)


@final
class _File:
    """An open file whose reads and writes are counted."""

    def __init__(self, file: Any, fault: Fault, path: str) -> None:
        self._file, self._fault, self._path = file, fault, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Iterator[Any]:
        self._fault.meet("read", self._path)
        return iter(self._file)

    def read(self, *size: int) -> Any:
        self._fault.meet("read", self._path)
        return self._file.read(*size)

    def write(self, content: Any) -> Any:
        def half() -> None:
            self._file.write(content[: len(content) // 2])
            self._file.flush()

        self._fault.meet("write", self._path, half)
        return self._file.write(content)


@contextmanager
def injected(fault: Fault) -> Iterator[None]:
    """Inside of it, operations meet the fault."""
    before = _originals()
    _wrap(fault)
    try:
        yield
    finally:
        for (owner, name), original in before.items():
            setattr(owner, name, original)


_PATCHED: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (builtins, ("open",)),
    (io, ("open",)),
    (fcntl, ("flock",)),
    (
        os,
        (
            "open",
            "write",
            "pread",
            "fsync",
            "ftruncate",
            "replace",
            "rename",
            "mkdir",
            "rmdir",
            "unlink",
            "remove",
        ),
    ),
)


def _originals() -> dict[tuple[Any, str], Any]:
    return {
        (owner, name): getattr(owner, name)
        for owner, names in _PATCHED
        for name in names
    }


def _wrap(fault: Fault) -> None:
    opened = _opening(fault, io.open)
    builtins.open = opened
    io.open = opened
    for name, what in (("mkdir", "mkdir"), ("rmdir", "rmdir"), ("unlink", "unlink")):
        setattr(os, name, _on_path(fault, getattr(os, name), what))
    for name in ("remove", "replace", "rename"):
        what = "unlink" if name == "remove" else "rename"
        setattr(os, name, _on_path(fault, getattr(os, name), what))
    for owner, name in ((os, "fsync"), (os, "ftruncate"), (fcntl, "flock")):
        setattr(owner, name, _on_descriptor(fault, getattr(owner, name), name))
    os.pread = _on_descriptor(fault, os.pread, "read")
    os.write = _on_descriptor(fault, os.write, "write")
    os.open = _system_opening(fault, os.open)


def _opening(fault: Fault, original: Any) -> Any:
    def opening(file: Any, mode: str = "r", *others: Any, **named: Any) -> Any:
        path = fault.below(file)
        if path is None:
            return original(file, mode, *others, **named)
        fault.meet("open to write" if set(mode) & set("wax+") else "open to read", path)
        return _File(original(file, mode, *others, **named), fault, path)

    return opening


def _system_opening(fault: Fault, original: Any) -> Any:
    def opening(path: Any, flags: int, *others: Any, **named: Any) -> int:
        inside = fault.below(path)
        if inside is not None:
            writes = flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
            fault.meet("open to write" if writes else "open to read", inside)
        return int(original(path, flags, *others, **named))

    return opening


def _on_path(fault: Fault, original: Any, what: str) -> Any:
    def operation(path: Any, *others: Any, **named: Any) -> Any:
        inside = fault.below(path)
        if inside is not None:
            fault.meet(what, inside)
        return original(path, *others, **named)

    return operation


def _on_descriptor(fault: Fault, original: Any, what: str) -> Any:
    def operation(file: Any, *others: Any) -> Any:
        number = file if isinstance(file, int) else file.fileno()
        inside = fault.of_descriptor(number)
        if inside is not None:
            fault.meet(what, inside)
        return original(file, *others)

    return operation
