"""Failures of the disk in threads, as that of TensorBoard: one line, and not a traceback each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def thread_failures_heard() -> Iterator[None]:
    """Inside of it, a thread that cannot write or read a file ends without a word.

    Whoever has started it is told, or else, at the end, the caller is. Other failures of threads
    are shown as always.

    Raises:
        OSError: the first failure, where nothing else was raised.
    """
    before = threading.excepthook
    failures: list[OSError] = []

    def hear(failed: threading.ExceptHookArgs) -> None:
        if isinstance(failed.exc_value, OSError):
            failures.append(failed.exc_value)
        else:
            before(failed)

    threading.excepthook = hear
    try:
        yield
    except SystemExit as ended:
        if failures and ended.code in (None, 0):
            raise failures[0] from None
        raise
    finally:
        threading.excepthook = before
    if failures:
        raise failures[0]
