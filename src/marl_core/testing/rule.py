"""What a rule asks, why, and what usually breaks it: as the docstring of its check says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SECTION = re.compile(r"^(Why|Broken by|Args):$", re.MULTILINE)


@dataclass(frozen=True)
class Rule:
    """A rule in words.

    Attributes:
        name: by which it is run.
        asks: what is to hold.
        why: what goes wrong otherwise.
        broken_by: what usually breaks it.
    """

    name: str
    asks: str
    why: str
    broken_by: str


def rule_of(name: str, check: Callable[[Any], None]) -> Rule:
    """A rule in words.

    Args:
        name: by which it is run.
        check: its docstring has what is asked, ``Why:`` and ``Broken by:``.
    """
    text = inspect.cleandoc(check.__doc__ or "")
    first, *rest = _SECTION.split(text)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    return Rule(
        name,
        _line(first),
        _line(sections.get("Why", "")),
        _line(sections.get("Broken by", "")),
    )


def _line(text: str) -> str:
    return " ".join(text.split())
