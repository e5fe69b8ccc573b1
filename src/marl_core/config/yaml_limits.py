"""Limits of what a YAML text may ask for, seen before anything is made of it.

A few lines of YAML can stand for millions of values, or for a list that holds itself. The parser's
events say so at a small cost; they are read in a loop, so that no depth exhausts the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
    ScalarEvent,
)

#: Letters of a text: a config of ten thousand levels has fewer.
MOST_LETTERS = 2**20
#: Values that a text stands for, every repetition by an alias counted.
MOST_VALUES = 100_000
#: Lists and mappings inside of one another.
MOST_DEPTH = 50


@final
class LimitError(Exception):
    """A text asks for too much.

    Args:
        line: where it does, counted from 1.
        problem: a phrase for the user.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


def check_limits(text: str) -> None:
    """See that a YAML text can be read at a bounded cost.

    Args:
        text: YAML.

    Raises:
        LimitError: it cannot.
        YAMLError: the text is no YAML.
    """
    if len(text) > MOST_LETTERS:
        raise LimitError(1, f"more than {MOST_LETTERS:,} letters")
    count = _Count()
    for event in _events(text):
        count.add(event)


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = YAML().parse(text)
    return events


@final
class _Count:
    """How many values a text stands for, from event to event."""

    def __init__(self) -> None:
        self._total = 0
        # Of each list and mapping that is open: its anchor, and the total at its beginning.
        self._open: list[tuple[str | None, int]] = []
        self._sizes: dict[str, int] = {}

    def add(self, event: Any) -> None:
        """Count what an event stands for."""
        line = event.start_mark.line + 1
        if isinstance(event, NodeEvent):
            self._total += self._size_of(event, line)
            if self._total > MOST_VALUES:
                raise LimitError(
                    line, f"it stands for more than {MOST_VALUES:,} values"
                )
        if isinstance(event, CollectionStartEvent):
            self._open.append((event.anchor, self._total - 1))
            if len(self._open) > MOST_DEPTH:
                raise LimitError(line, "nested too deeply")
        elif isinstance(event, CollectionEndEvent):
            anchor, before = self._open.pop()
            self._remember(anchor, self._total - before)
        elif isinstance(event, ScalarEvent):
            self._remember(event.anchor, 1)

    def _size_of(self, event: NodeEvent, line: int) -> int:
        if not isinstance(event, AliasEvent):
            return 1
        name = event.anchor
        if any(anchor == name for anchor, _ in self._open):
            raise LimitError(line, f"*{name} stands inside of what it repeats")
        return self._sizes.get(name, 1)  # an unknown one is refused later

    def _remember(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._sizes[anchor] = size
