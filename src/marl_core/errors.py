"""The errors that the command line turns into one line and exit status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: The keys that lead to a part of a config: ``("stages", 1, "exploration")``.
Location = tuple[str | int, ...]


class UserError(Exception):
    """Something the user can mend: the message is one line saying what, where, and what was meant.

    Args:
        message: the line.
        location: the part of the config that it is about, if it is about one; the command line adds
            file and line.
    """

    def __init__(self, message: str, *location: str | int) -> None:
        place = f"{dotted(location)}: " if location else ""
        super().__init__(place + message)
        self.message = message
        self.location = location


def dotted(location: Location) -> str:
    """A location as ``--set`` takes it.

    Args:
        location: the keys that lead to a part of a config.
    """
    return ".".join(map(str, location))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like another; None where none is.

    Args:
        word: what was written.
        known: what could have been meant.
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if not near:
        return None
    return near[0]


def suggestion(word: str, known: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` for the nearest known word; the empty string where none is near.

    Args:
        word: what was written.
        known: what could have been meant.
    """
    near = nearest(word, known)
    if near is None:
        return ""
    return f", did you mean '{near}'?"
