"""Ctrl-C before there is anything to lose."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: What a shell expects of a command that Ctrl-C has ended.
_STATUS = 128 + int(signal.SIGINT)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Inside of it, Ctrl-C ends the process with one line.

    It is for the imports of large libraries, which make all kinds of errors of an interruption.
    Nothing may be written yet, because nothing is tidied up.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # the handler is somebody else's, or the signal is ignored
        return
    try:
        signal.signal(signal.SIGINT, _end)
    except ValueError:  # a thread is never interrupted itself
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.write(2, b"marl: interrupted; nothing was begun\n")
    os._exit(_STATUS)
