"""Where the jobs of a sweep are worked on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from marl_core.sweep.work import Task


class Pool(ABC):
    """Takes tasks and tells how they ended. Leaving its context ends all that is still worked on."""

    @abstractmethod
    def has_room(self) -> bool:
        """Whether another task would be started soon."""

    @abstractmethod
    def submit(self, name: str, task: Task) -> None:
        """Start a task, known by its job's name."""

    @abstractmethod
    def finished(self, timeout: float) -> dict[str, str | None]:
        """The jobs that ended since the last call: why they failed, or None. Waits ``timeout`` seconds for the first.

        Raises:
            UserError: no job can be worked on here.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything, running jobs too: they go on from their checkpoints another time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
