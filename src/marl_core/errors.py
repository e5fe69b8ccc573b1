"""The errors that the command line turns into one line and exit status 2."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable, Sequence
from typing import final

#: The keys that lead to a part of a config: ``("stages", 1, "exploration")``.
Location = tuple[str | int, ...]

#: Letters of the longest line that is shown.
_LONGEST_LINE = 2000


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

    @property
    def lines(self) -> tuple[str, ...]:
        """What is shown, a line for each mistake."""
        return (str(self),)


@final
class AskedToEnd(SystemExit):
    """A signal has asked the process to end. Its status is the one that shells know.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


@final
class RankLostError(Exception):
    """A process of a run has ended before its time: the message is one line.

    The command line prints it and ends with status 1: there is nothing to mend in what was asked
    for, and a launcher may start the run again.
    """


@final
class SeveralMistakesError(UserError):
    """Several mistakes at once.

    Args:
        lines: one for each.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self._lines = tuple(lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is shown, a line for each mistake."""
        return self._lines


def printable(text: str) -> str:
    """A text as one line that a terminal shows and does not obey.

    Names come from files of others: whatever would move the cursor, end the line, turn the writing
    direction or break the encoding is written as in Python, ``\\x1b``.

    Args:
        text: any.
    """
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}..."
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else _escaped(letter) for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


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
