"""The errors that the command line turns into one line and exit status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: the message is one line saying what, where, and what was meant."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` for the known word nearest to ``word``; the empty string where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""
