"""The other processes of a run on this machine: they are started, watched and ended here."""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import final

from marl_core.errors import RankLostError, UserError
from marl_core.training.parent import VARIABLE
from marl_core.training.place import Place

#: Seconds in which this process notices by itself that another one is lost, or is ended.
_PATIENCE = 5.0
#: Seconds in which a process ends that is asked to.
_GRACE = 2.0
_PERIOD = 0.05


@final
class Company:
    """The processes that this one has started on its machine.

    They run the same command, and live as long as it does: a script may train several runs.

    Args:
        place: of this process; its port is chosen.
        folder: of the run, for messages.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self._folder = folder
        self._ending = threading.Event()
        command = _own_command()
        first = place.rank
        ranks = range(first + 1, first + place.local_processes)
        self._started = {rank: self._start(command, rank) for rank in ranks}
        watch = threading.Thread(target=self._watch, name="ranks", daemon=True)
        watch.start()

    def lost(self, patience: float = 0.0) -> RankLostError | None:
        """What to say of a process that has ended before its time; None where all are well.

        Args:
            patience: seconds to wait for the end of one.
        """
        until = time.monotonic() + patience
        while True:
            for rank, process in self._started.items():
                status = process.poll()
                if status:
                    return lost_rank(f"rank {rank} {_ended(status)}", self._folder)
            if time.monotonic() >= until:
                return None
            time.sleep(_PERIOD)

    def end(self, patience: float = 0.0) -> None:
        """End all processes that are still there.

        Args:
            patience: seconds in which they may end by themselves.
        """
        self._ending.set()
        self._wait(patience)
        for process in self._started.values():
            process.terminate()
        self._wait(_GRACE)
        for process in self._started.values():
            process.kill()
            process.wait()

    def _start(self, command: list[str], rank: int) -> subprocess.Popen[bytes]:
        local_rank = rank - self.place.rank
        place = replace(self.place, rank=rank, local_rank=local_rank)
        saying = {
            "parent": os.getpid(),
            "place": asdict(place),
            "folder": str(self._folder),
        }
        # What other libraries look at, besides.
        known = {
            "RANK": str(rank),
            "LOCAL_RANK": str(local_rank),
            "WORLD_SIZE": str(place.processes),
        }
        variables = {**os.environ, **known, VARIABLE: json.dumps(saying)}
        return subprocess.Popen(command, env=variables)

    def _watch(self) -> None:
        """The last resort: this process may wait for a lost one in a call that never returns."""
        while self.lost() is None:
            if self._ending.wait(_PERIOD):
                return
        if self._ending.wait(_PATIENCE):
            return
        print(f"marl: {self.lost()}", file=sys.stderr, flush=True)
        for process in self._started.values():
            process.kill()
        os._exit(1)

    def _wait(self, patience: float) -> None:
        until = time.monotonic() + patience
        while any(process.poll() is None for process in self._started.values()):
            if time.monotonic() >= until:
                return
            time.sleep(_PERIOD)


#: The processes that this one has started; it can have them once.
_company: Company | None = None


def in_company(place: Place, folder: Path) -> Place:
    """Start the other processes of this machine, where it is this process that does.

    Args:
        place: of this process.
        folder: of the run, for messages.

    Returns:
        The place, with the port on which rank 0 waits.

    Raises:
        UserError: the same command cannot be run once more, or was for other processes.
    """
    global _company
    if not place.starts_others:
        return _with_port(place)
    if _company is None:
        _company = Company(_with_port(place), folder)
        atexit.register(end_company, _PATIENCE)
    there = _company.place
    if replace(place, port=there.port) != there:
        message = f"this program has started {there.processes} processes already"
        raise UserError(message, "training", "devices")
    return there


def end_company(patience: float = 0.0) -> None:
    """End the processes that this one has started, if there are any.

    Args:
        patience: seconds in which they may end by themselves.
    """
    global _company
    if _company is not None:
        _company.end(patience)
        _company = None


def lost_company(patience: float) -> RankLostError | None:
    """What to say of a process that this one has started and that has ended before its time.

    Args:
        patience: seconds to wait for the end of one.
    """
    return None if _company is None else _company.lost(patience)


def lost_rank(what: str, folder: Path) -> RankLostError:
    """The error with which a run stops that has lost a process.

    Args:
        what: happened.
        folder: of the run.
    """
    goes_on = f"`marl resume {folder}` goes on from the newest checkpoint"
    return RankLostError(f"{what}, so the run stops; {goes_on}")


def _ended(status: int) -> str:
    if status > 0:
        return f"has ended with status {status}"
    import signal

    return f"was killed by {signal.Signals(-status).name}"


def _with_port(place: Place) -> Place:
    if place.port or place.processes == 1:
        return place
    with socket.socket() as probe:
        probe.bind((place.address, 0))
        port: int = probe.getsockname()[1]
    return replace(place, port=port)


def _own_command() -> list[str]:
    """The command that runs this program once more."""
    arguments = sys.orig_argv[1:]
    main = sys.modules.get("__main__")
    is_program = hasattr(main, "__file__") or "-c" in arguments
    is_worker = multiprocessing.parent_process() is not None
    if is_worker or not is_program:
        message = (
            "a run of several processes starts its own program once more for each: train it "
            "by `marl train` or by a script, and not from a worker or a notebook"
        )
        raise UserError(message, "training", "devices")
    return [sys.executable, *arguments]
