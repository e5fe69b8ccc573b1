"""Where the jobs of a sweep are worked on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from marl_core.sweep.work import Task

#: Jobs that have ended: by name, why they failed, or None.
Ended = dict[str, str | None]


class Pool(ABC):
    """Takes tasks and tells how they ended.

    Leaving its context ends whatever is still being worked on. Abstract base.
    """

    @abstractmethod
    def has_room(self) -> bool:
        """Whether another task would be started soon."""

    @abstractmethod
    def submit(
        self,
        name: str,
        task: Task,
    ) -> None:
        """Start a task.

        Args:
            name: of its job.
            task: what to do.
        """

    @abstractmethod
    def finished(self, timeout: float) -> Ended:
        """The jobs that have ended since the last call.

        Args:
            timeout: seconds to wait for the first of them.

        Raises:
            UserError: no job can be worked on here.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything. Running jobs go on from their checkpoints another time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
