"""Notes about a run, as a user of the command line sees them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from marl_core.errors import printable
from marl_core.notes import RunWarning


@contextmanager
def notes_as_lines() -> Iterator[None]:
    """Inside of it, a note is one line on standard error, without the place in the code.

    It is said once, however often it is come upon.
    """
    before = warnings.showwarning
    said: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, RunWarning):
            before(message, category, filename, lineno, file, line)
        elif str(message) not in said:
            said.add(str(message))
            print(printable(f"marl: {message}"), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", RunWarning)
        warnings.showwarning = show
        yield
