"""Jobs as Ray tasks of one CPU each."""

from __future__ import annotations

import importlib
import os
import socket
from contextlib import suppress
from typing import Any, final
from urllib.parse import urlsplit

from marl_core.errors import UserError
from marl_core.sweep.pool import Ended, Pool
from marl_core.sweep.work import Task, perform

#: How long a head node may take to answer. Ray itself would try for minutes, and say only then
#: what it is that failed.
_ANSWER_SECONDS = 10.0


@final
class RayPool(Pool):
    """Tasks on a Ray cluster.

    It is the cluster that this process is connected to, else the one that ``RAY_ADDRESS`` names,
    else one of its own on this machine. All nodes must have this package, of the same version, and
    see the sweep's folder under the same path.

    Raises:
        UserError: Ray is not installed, or cannot be reached.
    """

    def __init__(self) -> None:
        # Ray is optional, so its types are not known.
        self._ray: Any = _import_ray()
        self._connected = not self._ray.is_initialized()
        if self._connected:
            self._connect()
        # A worker that dies fails its job, as it does without Ray. A task that is tried again
        # might take others down with it.
        remote = self._ray.remote(num_cpus=1, max_retries=0)
        self._perform = remote(perform)
        self._jobs: dict[Any, str] = {}

    def has_room(self) -> bool:
        """Always: it is Ray that queues, and a cluster that grows has to see what waits."""
        return True

    def submit(
        self,
        name: str,
        task: Task,
    ) -> None:
        """Queue a task.

        Args:
            name: of its job.
            task: what to do.
        """
        named = self._perform.options(name=name)
        self._jobs[named.remote(task)] = name

    def finished(self, timeout: float) -> Ended:
        """The jobs that have ended since the last call.

        Args:
            timeout: seconds to wait for the first of them.
        """
        pending = list(self._jobs)
        self._ray.wait(pending, num_returns=1, timeout=timeout)
        ready, _ = self._ray.wait(
            pending,
            num_returns=len(pending),
            timeout=0,
        )
        ended: Ended = {}
        for reference in ready:
            name = self._jobs.pop(reference)
            ended[name] = self._failure(reference)
        return ended

    def close(self) -> None:
        """Cancel what is left, and leave the cluster if it was joined for this sweep."""
        for reference in self._jobs:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._jobs.clear()
        if self._connected:
            self._ray.shutdown()

    def _connect(self) -> None:
        address = os.environ.get("RAY_ADDRESS", "")
        failures = (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError)
        try:
            _knock(address)
            self._ray.init(log_to_driver=False, logging_level="warning")
        except failures as error:
            where = address or "on this machine"
            reason = " ".join(str(error).split())
            raise UserError(f"Ray ({where}) cannot be reached: {reason}") from error

    def _failure(self, reference: Any) -> str | None:
        try:
            failure: str | None = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            message = str(error).strip() or "no reason given"
            first_line = message.splitlines()[0]
            return f"{type(error).__name__}: {first_line}"
        return failure


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError("the ray backend needs Ray: pip install ray") from error


def _knock(address: str) -> None:
    """See whether anybody listens at ``host:port`` or ``ray://host:port``.

    Args:
        address: any other form of it is left for Ray to judge.

    Raises:
        OSError: nobody listens there.
        ValueError: the port is not one.
    """
    there = urlsplit(address if "://" in address else f"//{address}")
    is_known = there.scheme in ("", "ray")
    if is_known and there.hostname and there.port:
        place = (there.hostname, there.port)
        socket.create_connection(place, _ANSWER_SECONDS).close()
