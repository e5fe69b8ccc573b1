"""Ends runs at chosen moments, as if their process had died, and goes on with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from marl_core.runs.folder import RunFolder
from tests.support.runs import go_on, start


class CrashError(Exception):
    """Stands for whatever ends a process."""


@contextmanager
def crash_at(
    owner: Any, name: str, call: int, *, after: bool = False
) -> Iterator[None]:
    """Let the given call of a function fail, before or after it has done its work."""
    original = getattr(owner, name)
    calls = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise CrashError
        result = original(*args, **kwargs)
        if calls == call:
            raise CrashError
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, failing)
        yield


def interrupted(path: Path, data: dict[str, Any], *crashes: Any) -> RunFolder:
    """A finished run that crashed at each of the given points, one after the other."""
    folder = start(path, data)
    for owner, name, call, after in crashes:
        with crash_at(owner, name, call, after=after), pytest.raises(CrashError):
            go_on(folder)
    go_on(folder)
    return folder
