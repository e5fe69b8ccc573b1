"""What is seen of a running sweep: a bar or, where there is no terminal, lines."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from marl_core.errors import printable

_SHOWN_NAMES = 3
#: Nothing to do is shown as very little to do, because a bar needs a length.
_SMALLEST_TOTAL = 1e-9


@final
class SweepProgress:
    """Jobs done of all, failures, the time left and the running jobs' names, on standard error.

    In a pipe or a log, where no bar can be seen, each job that ends is a line.

    Args:
        weights: what each job costs, in any unit.
        done: the jobs that need no work.
        shown: whether anything is shown.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        done: Collection[str],
        shown: bool,
    ) -> None:
        self._weights = weights
        self._done = set(done)
        self._total = sum(weights.values())
        self._before = sum(weights[name] for name in done)
        self._worked = self._before
        self._failures = 0
        self._started = time.monotonic()
        self._shown = shown
        self._bar = _bar(shown)
        self._task: TaskID = self._bar.add_task(
            "sweep",
            total=max(self._total, _SMALLEST_TOTAL),
            **self._fields(()),
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
        # Where there is no terminal, rich leaves the last line open.
        if self._shown and not self._bar.console.is_terminal:
            self._bar.console.line()

    def ended(
        self,
        name: str,
        failure: str | None,
    ) -> None:
        """Count a job that has ended, and say why it failed.

        Args:
            name: of the job.
            failure: why it failed; None: it did not.
        """
        self._worked += self._weights[name]
        if failure is None:
            self._done.add(name)
            if not self._bar.console.is_terminal:
                self._say(
                    f"{name}: done, {self._jobs()} jobs, {self._time_left()} left"
                )
        else:
            self._failures += 1
            self._say(f"{name}: {failure}")

    def show(self, running: Collection[str]) -> None:
        """Bring the display up to date.

        Args:
            running: the names of the jobs that are being worked on.
        """
        self._bar.update(
            self._task,
            completed=self._worked,
            **self._fields(running),
        )

    def _say(self, line: str) -> None:
        if self._shown:
            self._bar.console.print(
                printable(line),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def _jobs(self) -> str:
        return f"{len(self._done)}/{len(self._weights)}"

    def _fields(self, running: Collection[str]) -> dict[str, Any]:
        names = list(running)[:_SHOWN_NAMES]
        if len(running) > _SHOWN_NAMES:
            names.append("...")
        return {
            "jobs": self._jobs(),
            "left": self._time_left(),
            "failures": f"{self._failures} failed" if self._failures else "",
            "running": printable(" ".join(names)).replace("[", r"\["),
        }

    def _time_left(self) -> str:
        """The time that the rest takes, if it is as fast as what has been done so far."""
        worked = self._worked - self._before
        if not worked:
            return "-:--:--"
        passed = time.monotonic() - self._started
        left = round(passed / worked * (self._total - self._worked))
        minutes = left // 60
        return f"{minutes // 60}:{minutes % 60:02}:{left % 60:02}"


def _bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.fields[jobs]} jobs"),
        BarColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("[red]{task.fields[failures]}"),
        TextColumn("[dim]{task.fields[running]}", markup=True),
        console=Console(stderr=True),
        disable=not shown,
    )
