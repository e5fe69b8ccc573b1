"""What a user should know though the work goes on."""

from __future__ import annotations

import warnings
from typing import final


@final
class RunWarning(UserWarning):
    """Something about a run that is not as it should be, and was got over.

    The command line prints the message alone, as one line on standard error.
    """


def note(message: str) -> None:
    """Say something that the user should know though the work goes on.

    Args:
        message: one line: what, where, and what is done about it.
    """
    # Located here: filters that hush Lightning would hush what is called through Lightning.
    warnings.warn(message, RunWarning, stacklevel=1)
