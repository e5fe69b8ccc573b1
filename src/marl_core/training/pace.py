"""How fast a run goes, measured by the clock; nothing that is learnt depends on it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from marl_core.types import Progress

#: Seconds over which the pace is measured.
_WINDOW = 60.0
#: Seconds between two marks that are kept.
_APART = 1.0


@dataclass(frozen=True)
class _Mark:
    seconds: float
    episodes: int
    steps: int


@final
class Pace:
    """The pace of the last minute of a stage.

    Args:
        clock: gives seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._marks: deque[_Mark] = deque()

    def mark(self, progress: Progress) -> None:
        """Note how far the run is now.

        Args:
            progress: how far it is.
        """
        now = self._clock()
        marks = self._marks
        if len(marks) > 1 and marks[-1].seconds - marks[-2].seconds < _APART:
            marks.pop()
        steps = progress.environment_steps
        marks.append(_Mark(now, progress.episodes, steps))
        while len(marks) > 2 and now - marks[1].seconds > _WINDOW:
            marks.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """Environment steps a second, over all games and ranks; None before the first update."""
        if len(self._marks) < 2:
            return None
        steps = self._marks[-1].steps - self._marks[0].steps
        return steps / self._seconds

    def metrics(self) -> dict[str, float]:
        """The pace for loggers: ``steps_per_second``, where it is known."""
        speed = self.steps_per_second
        return {} if speed is None else {"steps_per_second": speed}

    def seconds_left(self, episodes: int) -> float | None:
        """How long some more episodes will take, if the pace stays what it is.

        Args:
            episodes: that are left.

        Returns:
            None before the first update.
        """
        if len(self._marks) < 2:
            return None
        played = self._marks[-1].episodes - self._marks[0].episodes
        return episodes * self._seconds / played

    @property
    def _seconds(self) -> float:
        passed = self._marks[-1].seconds - self._marks[0].seconds
        return max(passed, 1e-9)
