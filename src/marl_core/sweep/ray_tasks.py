"""Jobs as Ray tasks of one CPU each."""

from __future__ import annotations

import importlib
import os
import socket
from contextlib import suppress
from typing import Any, final
from urllib.parse import urlsplit

from marl_core.errors import UserError
from marl_core.sweep.pool import Pool
from marl_core.sweep.work import Task, perform

#: How long a head node may take to answer. Ray itself would try for minutes, and say then what it is that failed.
_ANSWER_SECONDS = 10.0


@final
class RayPool(Pool):
    """Tasks on the cluster that ``RAY_ADDRESS`` names, the one this process is connected to, or one of its own.

    All nodes must have this package, of the same version, and see the sweep's folder under the same path.

    Raises:
        UserError: Ray is not installed, or cannot be reached.
    """

    def __init__(self) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise UserError(
                "the ray backend needs Ray: pip install 'policy-resonance[ray]'"
            ) from error
        self._connected = not self._ray.is_initialized()
        if self._connected:
            address = os.environ.get("RAY_ADDRESS", "")
            try:
                _knock(address)
                self._ray.init(log_to_driver=False, logging_level="warning")
            except (
                OSError,
                RuntimeError,
                ValueError,
                self._ray.exceptions.RayError,
            ) as error:
                where = address or "on this machine"
                raise UserError(
                    f"Ray ({where}) cannot be reached: {' '.join(str(error).split())}"
                ) from error
        # A worker that dies fails its job, as it does without Ray; a task tried again may take others down with it.
        self._perform = self._ray.remote(num_cpus=1, max_retries=0)(perform)
        self._jobs: dict[Any, str] = {}

    def has_room(self) -> bool:
        """Always: it is Ray that queues, and a cluster that grows has to see what waits."""
        return True

    def submit(self, name: str, task: Task) -> None:
        """Queue the task."""
        self._jobs[self._perform.options(name=name).remote(task)] = name

    def finished(self, timeout: float) -> dict[str, str | None]:
        """See ``Pool``."""
        self._ray.wait(list(self._jobs), num_returns=1, timeout=timeout)
        ready, _ = self._ray.wait(
            list(self._jobs), num_returns=len(self._jobs), timeout=0
        )
        return {
            self._jobs.pop(reference): self._failure(reference) for reference in ready
        }

    def _failure(self, reference: Any) -> str | None:
        try:
            failure: str | None = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            return f"{type(error).__name__}: {reason}"
        return failure

    def close(self) -> None:
        """Cancel what is left, and part from the cluster if it was for this sweep that it was joined."""
        for reference in self._jobs:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._jobs.clear()
        if self._connected:
            self._ray.shutdown()


def _knock(address: str) -> None:
    """See whether anybody listens at ``host:port`` or ``ray://host:port``; any other address is Ray's to judge.

    Raises:
        OSError: nobody does.
        ValueError: the port is none.
    """
    there = urlsplit(address if "://" in address else f"//{address}")
    if there.scheme in ("", "ray") and there.hostname and there.port:
        socket.create_connection((there.hostname, there.port), _ANSWER_SECONDS).close()
