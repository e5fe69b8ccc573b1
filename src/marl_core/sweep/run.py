"""Jobs in an order in which each finds what it continues."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.registry import environment_spec
from marl_core.sweep.jobs import Job, checked, folder_of, is_begun, is_done
from marl_core.sweep.pool import Pool
from marl_core.sweep.progress import SweepProgress
from marl_core.sweep.work import Task

_POLL_SECONDS = 0.2


def run_sweep(
    jobs: Sequence[Job],
    folder: Path,
    *,
    backend: Literal["local", "ray"] = "local",
    workers: int = 1,
    show_progress: bool = True,
) -> dict[str, str]:
    """Run all jobs that are not done, those that failed or were interrupted before, too.

    Args:
        jobs: in the order in which they shall start, as far as what they continue allows.
        folder: the run folders' parent; it is created. Under Ray all nodes must see it.
        backend: processes on this machine, or Ray tasks of one CPU each, on the cluster that ``RAY_ADDRESS`` names or,
            without it, on this machine.
        workers: processes, of one torch thread each unless a config says otherwise; Ray finds its own number.
        show_progress: show a progress bar on standard error, and failures as they come.

    Returns:
        The failures: a job's name, and a line that says why. ``error.txt`` in its folder holds the whole traceback.

    Raises:
        UserError: jobs that contradict each other or what is in the folder; nothing has been started then.
        KeyboardInterrupt: after all workers have been ended. What has a checkpoint goes on another time.
    """
    if workers < 1:
        raise UserError(f"workers: {workers}, where at least 1 is needed")
    sweep = _Sweep(checked(jobs), folder.resolve())
    if len(sweep.done) == len(sweep.jobs):
        return {}
    try:
        with (
            _pool(backend, workers) as pool,
            SweepProgress(sweep.weights(), sweep.done, show_progress) as progress,
        ):
            sweep.run(pool, progress)
    except KeyboardInterrupt:
        count = f"{len(sweep.done)} of {len(sweep.jobs)} jobs are done"
        print(
            f"marl: interrupted, {count}; the same command goes on from there",
            file=sys.stderr,
        )
        raise
    return sweep.failures


def _pool(backend: Literal["local", "ray"], workers: int) -> Pool:
    if backend == "ray":
        from marl_core.sweep.ray_tasks import RayPool

        return RayPool()
    from marl_core.sweep.local import LocalPool

    return LocalPool(workers)


class _Sweep:
    """How far the jobs are."""

    def __init__(self, jobs: Mapping[str, Job], folder: Path) -> None:
        self.jobs = jobs
        self._folders = {name: folder_of(job, folder) for name, job in jobs.items()}
        self._begun = {
            name
            for name, job in jobs.items()
            if is_begun(job.config, self._folders[name])
        }
        self.done = {
            name
            for name in self._begun
            if is_done(jobs[name].config, self._folders[name])
        }
        self.failures: dict[str, str] = {}

    def weights(self) -> dict[str, float]:
        """What each job costs: the environment steps of the episodes that are its own, at the most."""
        steps: dict[str, int] = {}
        weights = {}
        for name, job in self.jobs.items():
            before = self.jobs[job.continues].config.episodes if job.continues else 0
            environment = job.config.environment.model_dump_json()
            if environment not in steps:
                steps[environment] = _steps_of_an_episode(job.config)
            weights[name] = float(steps[environment] * (job.config.episodes - before))
        return weights

    def run(self, pool: Pool, progress: SweepProgress) -> None:
        """Work until nothing is left to do."""
        waiting = [name for name in self.jobs if name not in self.done]
        running: dict[str, None] = {}
        while waiting or running:
            for name in list(waiting):
                job = self.jobs[name]
                if self._lost(job):
                    self.failures[name] = (
                        f"it continues '{job.continues}', which failed"
                    )
                    progress.ended(name, self.failures[name])
                elif self._ready(job) and pool.has_room():
                    pool.submit(name, self._task(job))
                    running[name] = None
                else:
                    continue
                waiting.remove(name)
            progress.show(running)
            for name, failure in (
                pool.finished(_POLL_SECONDS) if running else {}
            ).items():
                del running[name]
                progress.ended(name, failure)
                if failure is None:
                    self.done.add(name)
                else:
                    self.failures[name] = failure
        progress.show(running)

    def _ready(self, job: Job) -> bool:
        return (
            job.continues is None
            or job.name in self._begun
            or job.continues in self.done
        )

    def _lost(self, job: Job) -> bool:
        return not self._ready(job) and job.continues in self.failures

    def _task(self, job: Job) -> Task:
        return Task(
            path=str(self._folders[job.name].path),
            config=job.config.model_dump(mode="json"),
            continues=str(self._folders[job.continues].path) if job.continues else None,
            modules=tuple(str(Path(entry).resolve()) for entry in sys.path),
        )


def _steps_of_an_episode(config: RunConfig) -> int:
    """The most that the environment allows; 1 for one that cannot be built, whose job will say why."""
    try:
        return environment_spec(config.environment).max_steps
    except Exception:
        return 1
