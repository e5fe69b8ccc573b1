"""The search for an example on which a rule fails: simplified for a limited time, and described."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from typing import Any, final

from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from marl_core.testing.verdicts import BrokenRuleError, said

#: For how many seconds an example on which a rule fails is made simpler.
SECONDS = 20.0
_allowed: ContextVar[float] = ContextVar("seconds for a simpler example")
#: Numbers of a tensor that are written out.
_MOST_NUMBERS = 24


@contextmanager
def simplified_for(seconds: float) -> Iterator[None]:
    """Inside of it, failing examples are made simpler for another time than ``SECONDS``.

    Args:
        seconds: for each rule; with 0 the first example that is found is the one that is told.
    """
    before = _allowed.set(seconds)
    try:
        yield
    finally:
        _allowed.reset(before)


def find_failure(
    check: Callable[..., None],
    examples: int,
    strategies: Mapping[str, SearchStrategy[Any]],
) -> None:
    """Call a check on drawn examples, the same in every run.

    Args:
        check: raises an ``AssertionError`` on an example that breaks the rule.
        examples: how many are drawn.
        strategies: where its arguments come from, by name.

    Raises:
        BrokenRuleError: the rule is broken; with the simplest example that was found in time.
    """
    search = _Search(check)
    always = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        always(given(**strategies)(search.attempt()))()
    except AssertionError as error:
        raise BrokenRuleError(said(error), search.example) from error
    except _OutOfTimeError:
        found = search.failure
        assert found is not None
        if not isinstance(found, AssertionError):
            raise found from None
        raise BrokenRuleError(said(found), search.example) from found
    except Exception as error:
        if not isinstance(error, Flaky):
            error.add_note(f"with {search.example}")
            raise
        message = "the same question got two answers: there is state or randomness"
        raise BrokenRuleError(message, search.example) from error


class _OutOfTimeError(BaseException):
    """Ends the search. Hypothesis would take an ``Exception`` for a failure of the check."""


@final
class _Search:
    """Calls a check, and remembers the simplest example on which it failed.

    Args:
        check: raises an exception on an example that breaks the rule.
    """

    def __init__(self, check: Callable[..., None]) -> None:
        self.failure: Exception | None = None
        self.example: str | None = None
        self._until = 0.0
        self._check = check

    def attempt(self) -> Callable[..., None]:
        """What Hypothesis calls: it reads names of arguments, and its seed, off the check."""

        @functools.wraps(self._check)
        def attempt(**drawn: Any) -> None:
            self._attempt(drawn)

        return attempt

    def _attempt(self, drawn: Mapping[str, Any]) -> None:
        if self.failure is not None and time.monotonic() > self._until:
            raise _OutOfTimeError
        try:
            self._check(**drawn)
        except Exception as error:
            if self.failure is None:
                self._until = time.monotonic() + _allowed.get(SECONDS)
            # While an example is simplified only simpler ones are tried.
            self.failure = error
            self.example = in_words(drawn)
            raise


def in_words(drawn: Mapping[str, Any]) -> str:
    """The arguments of a check on a line: ``seed=0, games=2``.

    Args:
        drawn: by name.
    """
    return ", ".join(f"{name}={_shown(value)}" for name, value in drawn.items())


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return _numbers(value)
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    told = []
    for one in fields(value):
        own = getattr(value, one.name)
        if isinstance(own, Tensor) or (own is not None and own != one.default):
            told.append(f"{one.name}={_shown(own)}")
    return f"{type(value).__name__}({', '.join(told)})"


def _numbers(value: Tensor) -> str:
    """Small tensors as lists, of large ones the shape."""
    if value.numel() > _MOST_NUMBERS:
        return f"<{' x '.join(map(str, value.shape))} numbers>"
    rounded = (
        value.double().mul(1e4).round().div(1e4) if value.is_floating_point() else value
    )
    return str(rounded.tolist())
