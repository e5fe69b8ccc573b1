"""What is seen of a running sweep."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_SHOWN_NAMES = 3


@final
class SweepProgress:
    """Jobs done of all, failures, the time left and the running jobs' names, on standard error.

    Args:
        weights: what each job costs, in whatever unit.
        done: the jobs that need no work.
        shown: show nothing if false.
    """

    def __init__(
        self, weights: Mapping[str, float], done: Collection[str], shown: bool
    ) -> None:
        self._weights = weights
        self._done = set(done)
        self._total = sum(weights.values())
        self._before = self._worked = self._weight_of(done)
        self._failures = 0
        self._started = time.monotonic()
        columns = (
            TextColumn("{task.fields[jobs]} jobs"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[red]{task.fields[failures]}"),
            TextColumn("[dim]{task.fields[running]}", markup=True),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._shown = shown
        self._task: TaskID = self._bar.add_task(
            "sweep", total=max(self._total, 1e-9), **self._fields(())
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if (
            self._shown and not self._bar.console.is_terminal
        ):  # where rich leaves the last line open
            self._bar.console.line()

    def ended(self, name: str, failure: str | None) -> None:
        """Count a job that ended, and say why it failed."""
        self._worked += self._weights[name]
        if failure is None:
            self._done.add(name)
            return
        self._failures += 1
        if self._shown:
            self._bar.console.print(
                f"{name}: {failure}", markup=False, highlight=False, soft_wrap=True
            )

    def show(self, running: Collection[str]) -> None:
        """Show how things stand."""
        self._bar.update(self._task, completed=self._worked, **self._fields(running))

    def _fields(self, running: Collection[str]) -> dict[str, Any]:
        names = [
            *list(running)[:_SHOWN_NAMES],
            *(["..."] if len(running) > _SHOWN_NAMES else []),
        ]
        return {
            "jobs": f"{len(self._done)}/{len(self._weights)}",
            "left": self._time_left(),
            "failures": f"{self._failures} failed" if self._failures else "",
            "running": " ".join(names).replace("[", r"\["),
        }

    def _time_left(self) -> str:
        """As fast as so far."""
        worked = self._worked - self._before
        if not worked:
            return "-:--:--"
        seconds = round(
            (time.monotonic() - self._started) / worked * (self._total - self._worked)
        )
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _weight_of(self, names: Collection[str]) -> float:
        return sum(self._weights[name] for name in names)
