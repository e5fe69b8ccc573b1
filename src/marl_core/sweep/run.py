"""Jobs in an order in which each finds the run that it continues."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from marl_core.base_config import MOST_PROCESSES
from marl_core.errors import UserError
from marl_core.sweep.jobs import Job, checked
from marl_core.sweep.pool import Pool
from marl_core.sweep.progress import SweepProgress
from marl_core.sweep.schedule import Schedule

Backend = Literal["local", "ray"]


def run_sweep(
    jobs: Sequence[Job],
    folder: Path,
    *,
    backend: Backend = "local",
    workers: int = 1,
    show_progress: bool = True,
) -> dict[str, str]:
    """Run all jobs that are not done, those that failed or were interrupted before included.

    Args:
        jobs: in the order in which they shall start, as far as what they continue allows.
        folder: the parent of the run folders; it is created. Under Ray all nodes must see it.
        backend: processes on this machine, or Ray tasks of one CPU each. These run on the cluster
            that ``RAY_ADDRESS`` names or, without it, on this machine.
        workers: the number of processes, each of one torch thread unless a config says otherwise.
            Ray finds its own number.
        show_progress: whether a progress bar, and failures as they come, are shown on standard
            error.

    Returns:
        The failures: a job's name, and a line that says why. ``error.txt`` in its folder holds the
        whole traceback.

    Raises:
        UserError: jobs contradict each other or what is in the folder. Nothing has been started
            then.
        KeyboardInterrupt: after all workers have been ended. Jobs that have a checkpoint go on from
            there another time.
    """
    if sys.platform == "win32" and backend == "local":
        message = "sweeps on this machine need Linux or macOS; on Windows, use WSL"
        raise UserError(message)
    if not 1 <= workers <= MOST_PROCESSES:
        raise UserError(f"workers: {workers}, where 1 to {MOST_PROCESSES} are possible")
    schedule = Schedule(checked(jobs), folder.resolve())
    if schedule.all_done:
        return {}
    try:
        with (
            _pool(backend, workers) as pool,
            _progress(schedule, show_progress) as progress,
        ):
            schedule.run(pool, progress)
    except KeyboardInterrupt:
        count = f"{len(schedule.done)} of {len(schedule.jobs)} jobs are done"
        advice = "the same command goes on from there"
        print(f"marl: interrupted, {count}; {advice}", file=sys.stderr)
        raise
    return schedule.failures


def _pool(
    backend: Backend,
    workers: int,
) -> Pool:
    if backend == "ray":
        from marl_core.sweep.ray_tasks import RayPool

        return RayPool()
    from marl_core.sweep.local import LocalPool

    return LocalPool(workers)


def _progress(
    schedule: Schedule,
    shown: bool,
) -> SweepProgress:
    return SweepProgress(schedule.weights(), schedule.done, shown)
