"""What may come of a rule: it is kept, it is broken, or it asks nothing of a part."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import final
from unittest import SkipTest


@final
class NotApplicableError(SkipTest):
    """A rule asks nothing of this part; the message says why. Pytest takes it for a skipped test.

    Args:
        reason: what the part lacks that the rule is about, as ``"it does not save its state"``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenRuleError(AssertionError):
    """A rule is broken.

    Args:
        message: what is wrong.
        example: the simplest arguments with which it was seen, in words; None: it needs none.
        rule: the rule's name, where it is known.
    """

    def __init__(
        self, message: str, example: str | None = None, rule: str | None = None
    ) -> None:
        with_example = message if example is None else f"{message} (with {example})"
        super().__init__(with_example if rule is None else f"{rule}: {with_example}")
        self.message = message
        self.example = example
        self.rule = rule


def said(error: AssertionError) -> str:
    """What an assertion says in its first line; its place, where it says nothing.

    Args:
        error: with which a check failed.
    """
    first = str(error).partition("\n")[0]
    if first:
        return first
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}: {last.line}"
