"""Worker processes on this machine, one torch thread each."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import final

from marl_core.errors import UserError
from marl_core.sweep.pool import Ended, Pool
from marl_core.sweep.work import Task, perform

#: What a worker says once it can work.
_READY = "ready"
_END_SECONDS = 5.0


@dataclass
class _Worker:
    """A process that waits for tasks, and the job that it is working on, if any."""

    process: ForkServerProcess
    connection: Connection
    job: str | None = None
    ready: bool = False

    def died(self) -> bool:
        """Whether it is gone and has left no message."""
        return not self.process.is_alive() and not self.connection.poll()

    def release(self) -> None:
        """Give back what is held of a process that has ended: its descriptors."""
        self.connection.close()
        self.process.join(_END_SECONDS)
        # A process that the system will not let go is still running.
        with suppress(ValueError):
            self.process.close()


@final
class LocalPool(Pool):
    """Workers that are started when there is a job for them, and kept for the next job.

    Args:
        count: the most workers at a time.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []

    def has_room(self) -> bool:
        """Whether a worker is idle or yet to be started."""
        return len(self._busy()) < self._count

    def submit(
        self,
        name: str,
        task: Task,
    ) -> None:
        """Hand a task to an idle worker, or to a new one.

        Args:
            name: of its job.
            task: what to do.
        """
        idle = [worker for worker in self._workers if worker.job is None]
        for worker in idle:
            try:
                worker.connection.send(task)
            except OSError:
                # It died while it was idle.
                self._workers.remove(worker)
                worker.release()
                continue
            worker.job = name
            return
        worker = self._start(name)
        # If it died at once, `finished` sees it.
        with suppress(OSError):
            worker.connection.send(task)

    def finished(self, timeout: float) -> Ended:
        """The jobs that have ended since the last call, those of workers that died included.

        Args:
            timeout: seconds to wait for the first of them.

        Raises:
            UserError: workers cannot be started.
        """
        busy = self._busy()
        handles: list[Connection | int] = []
        for worker in busy:
            handles += [worker.connection, worker.process.sentinel]
        signalled = wait(handles, timeout)
        ended: Ended = {}
        for worker in busy:
            if worker.connection in signalled or worker.process.sentinel in signalled:
                assert worker.job is not None
                ended.update(self._hear(worker, worker.job))
        return ended

    def close(self) -> None:
        """End the workers.

        Idle ones end because their connection closes. Others get SIGTERM and, if they are still
        there some seconds later, SIGKILL.
        """
        for worker in self._workers:
            worker.connection.close()
            if worker.job is not None:
                worker.process.terminate()
        until = time.monotonic() + _END_SECONDS
        try:
            for worker in self._workers:
                left = until - time.monotonic()
                worker.process.join(max(0.0, left))
        finally:
            # Also after a second Ctrl-C, which ends the waiting.
            for worker in self._workers:
                worker.process.kill()
                worker.release()
            self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _start(self, job: str) -> _Worker:
        if sys.platform == "win32":  # which run_sweep has refused
            raise NotImplementedError
        context = get_context("forkserver")
        # One process imports torch and all that a run needs, which takes seconds, and workers are
        # forked from it.
        context.set_forkserver_preload([__name__])
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, dict(os.environ)))
        worker = _Worker(process, ours, job)
        # If it were started while the signal is blocked, it would unblock the signal.
        resource_tracker.ensure_running()
        # Ctrl-C goes to all processes of a terminal. Workers inherit the block, so that it is the
        # sweep that ends them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            worker.process.start()
            self._workers.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return worker

    def _hear(
        self,
        worker: _Worker,
        job: str,
    ) -> Ended:
        """What a worker has to say: nothing, or that its job has ended."""
        try:
            message = worker.connection.recv() if worker.connection.poll() else None
        except (EOFError, OSError):
            # This, too, is how a worker ends.
            worker.process.join(_END_SECONDS)
            return self._bury(worker, job)
        if message is None:
            return self._bury(worker, job) if worker.died() else {}
        if message == _READY:
            worker.ready = True
            return {}
        worker.job = None
        return {job: message[0]}

    def _bury(
        self,
        worker: _Worker,
        job: str,
    ) -> Ended:
        """Forget a worker that died; its job has failed."""
        self._workers.remove(worker)
        status = worker.process.exitcode
        worker.release()
        failed = status is not None and status > 0
        if failed and not worker.ready:
            reason = "what they import fails, or starts the sweep anew where"
            guard = "`if __name__ == '__main__':` is missing around it"
            raise UserError(f"the sweep's workers cannot start: {reason} {guard}")
        return {job: _how_it_died(status)}


def _how_it_died(status: int | None) -> str:
    if status is None or status >= 0:
        return f"its worker process ended (exit status {status})"
    number = -status
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"its worker process was killed ({name}{hint})"


def _serve(
    connection: Connection,
    variables: dict[str, str],
) -> None:
    """The life of a worker: tasks are performed one after the other, until the connection closes.

    Args:
        connection: to the pool.
        variables: the environment variables of the pool's process. The process that workers are
            forked from has those of the time when it was started.
    """
    # That process may have been started by something else, which blocked nothing.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.environ.clear()
    os.environ.update(variables)
    pool = parent_process()
    assert pool is not None
    watch = threading.Thread(
        target=_end_with,
        args=(pool.sentinel,),
        daemon=True,
    )
    watch.start()
    connection.send(_READY)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send((perform(task),))


def _end_with(pool: int) -> None:
    """End this process when the pool's is gone: a process that is killed ends no workers.

    Args:
        pool: the sentinel of the pool's process.
    """
    wait([pool])
    os._exit(1)
