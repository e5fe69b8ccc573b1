"""A process that plays games for another one: ``python -m marl_envs.adapters.worker``."""

from __future__ import annotations

import mmap
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from marl_envs.adapters.requests import REQUESTS, GameMaker, failure_of
from marl_envs.adapters.rows import Layout, Rows, shared_size

#: Says that nothing more will be asked for.
CLOSE: Final = "close"


class Assignment(NamedTuple):
    """What a worker is to play.

    Attributes:
        maker: makes the games.
        layout: of the games.
        games: how many there are in all.
        part: which of them the worker plays.
    """

    maker: GameMaker
    layout: Layout
    games: int
    part: range


def serve(block: int, connection: Connection) -> None:
    """Play, until nothing more is asked for or whoever asks is gone.

    Args:
        block: the file of the memory that all processes share.
        connection: to the process that asks.
    """
    request = "make"
    try:
        sys.path[:] = connection.recv()
        task: Assignment = pickle.loads(connection.recv_bytes())
        size = shared_size(task.layout, task.games)
        rows = Rows.shared(task.layout, task.games, mmap.mmap(block, size))
        each = [rows[game] for game in task.part]
        games = [task.maker() for _ in task.part]
        connection.send(None)
        while (request := connection.recv()) != CLOSE:
            REQUESTS[request](games, each)
            connection.send(None)
        for game in games:
            game.close()
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        connection.send(failure_of(request, error))


if __name__ == "__main__":
    # Ctrl-C reaches all processes, and the one that asks decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(int(sys.argv[1]), Connection(int(sys.argv[2])))
