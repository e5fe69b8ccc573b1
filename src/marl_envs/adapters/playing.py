"""Several games of another library, in this process or in others."""

from __future__ import annotations

import mmap
import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Protocol, final

from marl_core.errors import UserError
from marl_envs.adapters.requests import REQUESTS, GameMaker, Request, failure_of
from marl_envs.adapters.rows import Layout, Rows, shared_size
from marl_envs.adapters.worker import CLOSE, Assignment

_SECONDS_TO_END: Final = 5
#: A file here lies in memory.
_MEMORY: Final = Path("/dev/shm")


class Players(Protocol):
    """Games that are played together."""

    @property
    def rows(self) -> Rows:
        """What they say; every request writes into it."""

    def ask(self, request: Request) -> None:
        """Reset those games that have a seed, or advance those that are on.

        Args:
            request: which of the two.

        Raises:
            UserError: a game failed.
        """

    def close(self) -> None:
        """Give everything back."""


@final
class PlayersHere:
    """Games that this process plays one after the other.

    Args:
        maker: makes them.
        layout: of the games.
        games: how many.
    """

    def __init__(self, maker: GameMaker, layout: Layout, games: int) -> None:
        self.rows = Rows.of(layout, games)
        self._games = [maker() for _ in range(games)]
        self._each = [self.rows[game] for game in range(games)]

    def ask(self, request: Request) -> None:
        """Reset or advance the games.

        Args:
            request: which of the two.

        Raises:
            UserError: a game failed.
        """
        try:
            REQUESTS[request](self._games, self._each)
        except UserError:
            raise
        except Exception as error:
            raise UserError(failure_of(request, error)) from error

    def close(self) -> None:
        """Close the games."""
        for game in self._games:
            game.close()


class _Worker:
    """A process that plays some of the games.

    A program of its own and no copy of this one: a copy would run the user's script anew.

    Args:
        task: what it plays.
        block: the file of the memory that all processes share.
    """

    def __init__(self, task: Assignment, block: int) -> None:
        self._part = task.part
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", __name__.replace("playing", "worker")]
        numbers = [block, theirs.fileno()]
        self._process = subprocess.Popen(
            [*command, *map(str, numbers)],
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._send_task(self._connection, task)

    def ask(self, request: str) -> None:
        """Say what is to be done.

        Args:
            request: what.
        """
        with suppress(OSError):  # Whoever is dead is found out by the missing answer.
            self._connection.send(request)

    def failure(self) -> str | None:
        """Wait until it is done; a line that says what failed, or None."""
        try:
            found: str | None = self._connection.recv()
        except (EOFError, OSError):
            status = self._process.wait(_SECONDS_TO_END)
            which = f"games {self._part[0]} to {self._part[-1]}"
            return f"the process that plays {which} died (status {status})"
        return found

    def end(self) -> None:
        """See that it ends."""
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()

    @staticmethod
    def _send_task(connection: Connection, task: Assignment) -> None:
        with suppress(OSError):
            # What the task is made of is found where this process finds it.
            connection.send(sys.path)
            connection.send_bytes(pickle.dumps(task))


@final
class PlayersElsewhere:
    """Games that several processes play; their rows lie in memory that all of them share.

    Args:
        maker: makes the games.
        layout: of the games.
        games: how many.
        workers: the number of processes, at most one for each game.

    Raises:
        UserError: a game cannot be made, or the system is Windows.
    """

    def __init__(
        self, maker: GameMaker, layout: Layout, games: int, workers: int
    ) -> None:
        if sys.platform == "win32":
            raise UserError("environment.workers: processes need Linux or macOS")
        folder = _MEMORY if _MEMORY.is_dir() else None
        with tempfile.TemporaryFile(dir=folder) as file:
            size = shared_size(layout, games)
            file.truncate(size)
            block = file.fileno()
            self.rows = Rows.shared(layout, games, mmap.mmap(block, size))
            tasks = [
                Assignment(maker, layout, games, part)
                for part in _parts(games, workers)
            ]
            self._workers = [_Worker(task, block) for task in tasks]
        self._hear()

    def ask(self, request: Request) -> None:
        """Have all processes reset or advance their games, and wait for them.

        Args:
            request: which of the two.

        Raises:
            UserError: a game failed, or a process died.
        """
        for worker in self._workers:
            worker.ask(request)
        self._hear()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.ask(CLOSE)
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _hear(self) -> None:
        failures = [worker.failure() for worker in self._workers]
        for failure in failures:
            if failure is not None:
                self.close()
                raise UserError(failure)


def _parts(games: int, workers: int) -> list[range]:
    """Which games each process plays: as equally as can be, in order."""
    workers = min(workers, games)
    ends = [games * worker // workers for worker in range(workers + 1)]
    return [range(ends[at], ends[at + 1]) for at in range(workers)]
