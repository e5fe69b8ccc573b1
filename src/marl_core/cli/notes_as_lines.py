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
    """Inside of it, a note is one line on standard error, without the place in the code."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, RunWarning):
            print(printable(f"marl: {message}"), file=sys.stderr)
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
