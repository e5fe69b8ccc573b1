"""Worker processes on this machine, one torch thread each."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import final

from marl_core.errors import UserError
from marl_core.sweep.pool import Pool
from marl_core.sweep.work import Task, perform

#: What a worker says once it can work.
_READY = "ready"
_END_SECONDS = 5.0
_WATCH_SECONDS = 0.5


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    job: str | None = None
    ready: bool = False

    def died(self) -> bool:
        """Whether it is gone and has left no message."""
        return not self.process.is_alive() and not self.connection.poll()


@final
class LocalPool(Pool):
    """At most ``count`` workers, each started when there is a job for it and kept for the next."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []

    def has_room(self) -> bool:
        """Whether a worker is idle or yet to be started."""
        return sum(worker.job is not None for worker in self._workers) < self._count

    def submit(self, name: str, task: Task) -> None:
        """Hand the task to an idle worker, or to a new one."""
        for worker in [worker for worker in self._workers if worker.job is None]:
            try:
                worker.connection.send(task)
            except OSError:  # it died idle
                self._workers.remove(worker)
                continue
            worker.job = name
            return
        worker = self._start(name)
        with suppress(OSError):  # it died at once; `finished` sees it
            worker.connection.send(task)

    def _start(self, job: str) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        worker = _Worker(
            context.Process(target=_serve, args=(theirs, os.getpid())), ours, job
        )
        resource_tracker.ensure_running()  # started while the signal is blocked, it would unblock it
        # Ctrl-C goes to all processes of a terminal, but workers inherit the block: the sweep is to end them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            worker.process.start()
            self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return worker

    def finished(self, timeout: float) -> dict[str, str | None]:
        """See ``Pool``. A worker that died is forgotten, and its job has failed."""
        busy = [worker for worker in self._workers if worker.job is not None]
        handles = [
            handle
            for worker in busy
            for handle in (worker.connection, worker.process.sentinel)
        ]
        signalled = wait(handles, timeout)
        ended: dict[str, str | None] = {}
        for worker in busy:
            if worker.connection in signalled or worker.process.sentinel in signalled:
                assert worker.job is not None
                ended.update(self._hear(worker, worker.job))
        return ended

    def _hear(self, worker: _Worker, job: str) -> dict[str, str | None]:
        try:
            message = worker.connection.recv() if worker.connection.poll() else None
        except (EOFError, OSError):  # the end of a worker, too
            worker.process.join(_END_SECONDS)
            return self._bury(worker, job)
        if message is None:
            return self._bury(worker, job) if worker.died() else {}
        if message == _READY:
            worker.ready = True
            return {}
        worker.job = None
        return {job: message[0]}

    def _bury(self, worker: _Worker, job: str) -> dict[str, str | None]:
        self._workers.remove(worker)
        status = worker.process.exitcode
        if status is not None and status > 0 and not worker.ready:
            message = "the sweep's workers cannot start: what they import fails, or starts the sweep anew where"
            raise UserError(
                f"{message} `if __name__ == '__main__':` is missing around it"
            )
        return {job: _how_it_died(status)}

    def close(self) -> None:
        """End the workers: the idle ones by telling them, the others by SIGTERM, and SIGKILL if that is not heard."""
        for worker in self._workers:
            worker.connection.close()
            if worker.job is not None:
                worker.process.terminate()
        until = time.monotonic() + _END_SECONDS
        try:
            for worker in self._workers:
                worker.process.join(max(0.0, until - time.monotonic()))
        finally:  # a second Ctrl-C does not wait
            for worker in self._workers:
                worker.process.kill()
            self._workers.clear()


def _how_it_died(status: int | None) -> str:
    if status is None or status >= 0:
        return f"its worker process ended (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"its worker process was killed ({name}{hint})"


def _serve(connection: Connection, parent: int) -> None:
    """A worker's life."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    connection.send(_READY)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send((perform(task),))


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, killed perhaps: nobody would ever tell it to."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
