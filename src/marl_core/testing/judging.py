"""All rules over one part, one after the other: what came of each."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from marl_core.testing.checking import Checks, run_check
from marl_core.testing.verdicts import BrokenRuleError, NotApplicableError

Outcome = Literal["passed", "failed", "not applicable"]
_PACKAGES = "site-packages"


@dataclass(frozen=True)
class Verdict:
    """What came of a rule.

    Attributes:
        rule: its name.
        outcome: whether it is kept, broken, or asks nothing of this part.
        message: what is wrong, or why it asks nothing.
        example: the simplest arguments with which it was seen to be broken, in words.
        error: with which it was found out.
    """

    rule: str
    outcome: Outcome
    message: str = ""
    example: str | None = None
    error: Exception | None = None


def judged(
    checks: Checks[Any], case: Any, part: Callable[..., Any]
) -> Iterator[Verdict]:
    """The verdict of each rule, as it is known.

    Without the members of its protocol nothing else can be asked of a part.

    Args:
        checks: by name; the first asks for the members.
        case: what is checked.
        part: the class: an exception is told by the line in its file.
    """
    names = list(checks)
    for name, check in checks.items():
        verdict = _verdict(name, check, case, part)
        yield verdict
        if name == names[0] and verdict.outcome == "failed":
            reason = f"{name} is broken"
            yield from (Verdict(one, "not applicable", reason) for one in names[1:])
            return


def _verdict(
    name: str, check: Callable[[Any], None], case: Any, part: Callable[..., Any]
) -> Verdict:
    try:
        run_check(name, check, case)
    except NotApplicableError as error:
        return Verdict(name, "not applicable", error.reason)
    except BrokenRuleError as error:
        return Verdict(name, "failed", error.message, error.example, error)
    except Exception as error:
        return Verdict(name, "failed", told(error, part), _example(error), error)
    return Verdict(name, "passed")


def told(error: Exception, part: Callable[..., Any]) -> str:
    """An exception out of a user's class, in a line that names the class and the place.

    Args:
        error: what was raised.
        part: the class.
    """
    name = getattr(part, "__qualname__", str(part))
    reason = " ".join(str(error).split()) or "no reason given"
    return f"{name} raised {type(error).__name__}: {reason} ({_place(error, part)})"


def _example(error: Exception) -> str | None:
    """The arguments with which it was raised, where the search for an example noted them."""
    notes = getattr(error, "__notes__", [])
    found = (note.removeprefix("with ") for note in notes if note.startswith("with "))
    return next(found, None)


def _place(error: Exception, part: Callable[..., Any]) -> str:
    """The innermost line in the class's file; else in code that nobody has installed; else any."""
    frames = traceback.extract_tb(error.__traceback__)
    try:
        own = inspect.getsourcefile(part)
    except TypeError:
        own = None
    core = str(Path(__file__).parents[1])
    in_class = [frame for frame in frames if frame.filename == own]
    elsewhere = [
        frame
        for frame in frames
        if not frame.filename.startswith(core) and _PACKAGES not in frame.filename
    ]
    frame = (in_class or elsewhere or list(frames))[-1]
    return f"{frame.filename}:{frame.lineno}"
