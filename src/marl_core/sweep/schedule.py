"""Which jobs of a sweep are done, and which of the others can start."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from marl_core.config.run import RunConfig
from marl_core.construction import environment_spec
from marl_core.runs.transfer import check_beginning
from marl_core.sweep.jobs import Job, folder_of, is_begun, is_done
from marl_core.sweep.pool import Pool
from marl_core.sweep.progress import SweepProgress
from marl_core.sweep.work import Task

_POLL_SECONDS = 0.2


class Schedule:
    """The jobs of a sweep, and how far they are.

    Args:
        jobs: by their names, in the order in which they shall start.
        folder: of the sweep.

    Raises:
        UserError: another run is in the folder of a job.
    """

    def __init__(
        self,
        jobs: Mapping[str, Job],
        folder: Path,
    ) -> None:
        self.jobs = jobs
        self.done: set[str] = set()
        self.failures: dict[str, str] = {}
        self._folders = {
            name: folder_of(
                job,
                folder,
            )
            for name, job in jobs.items()
        }
        self._begun: set[str] = set()
        for name, job in jobs.items():
            if is_begun(job.config, self._folders[name]):
                self._begun.add(name)
                # What continues another run has that one's parameters.
                if job.continues is None:
                    check_beginning(self._folders[name], job.weights)
                if is_done(job.config, self._folders[name]):
                    self.done.add(name)
        self._waiting = [name for name in jobs if name not in self.done]
        self._running: list[str] = []

    @property
    def all_done(self) -> bool:
        """Whether nothing is left to do."""
        return len(self.done) == len(self.jobs)

    def weights(self) -> dict[str, float]:
        """What each job costs: the most environment steps that its own episodes can take."""
        steps: dict[str, int] = {}
        weights: dict[str, float] = {}
        for name, job in self.jobs.items():
            environment = job.config.environment.model_dump_json()
            if environment not in steps:
                steps[environment] = _steps_of_an_episode(job.config)
            weights[name] = float(steps[environment] * self._own_episodes(job))
        return weights

    def run(
        self,
        pool: Pool,
        progress: SweepProgress,
    ) -> None:
        """Work until nothing is left to do.

        Args:
            pool: does the work.
            progress: is told of what happens.
        """
        while self._waiting or self._running:
            for name in list(self._waiting):
                self._start_or_give_up(
                    self.jobs[name],
                    pool,
                    progress,
                )
            progress.show(self._running)
            ended = pool.finished(_POLL_SECONDS) if self._running else {}
            for name, failure in ended.items():
                self._running.remove(name)
                self._end(name, failure, progress)
        progress.show(self._running)

    def _start_or_give_up(
        self,
        job: Job,
        pool: Pool,
        progress: SweepProgress,
    ) -> None:
        """Start a job if that is possible now; give it up if what it continues has failed."""
        if self._is_lost(job):
            self._waiting.remove(job.name)
            reason = f"it continues '{job.continues}', which failed"
            self._end(job.name, reason, progress)
        elif self._is_ready(job) and pool.has_room():
            self._waiting.remove(job.name)
            pool.submit(job.name, self._task(job))
            self._running.append(job.name)

    def _end(
        self,
        name: str,
        failure: str | None,
        progress: SweepProgress,
    ) -> None:
        if failure is None:
            self.done.add(name)
        else:
            self.failures[name] = failure
        progress.ended(name, failure)

    def _is_ready(self, job: Job) -> bool:
        if job.continues is None or job.name in self._begun:
            return True
        return job.continues in self.done

    def _is_lost(self, job: Job) -> bool:
        return not self._is_ready(job) and job.continues in self.failures

    def _own_episodes(self, job: Job) -> int:
        """The episodes that are not those of the job that it continues."""
        if job.continues is None:
            return job.config.episodes
        return job.config.episodes - self.jobs[job.continues].config.episodes

    def _task(self, job: Job) -> Task:
        first = None
        if job.continues is not None:
            first = str(self._folders[job.continues].path)
        return Task(
            path=str(self._folders[job.name].path),
            config=job.config.model_dump(mode="json"),
            continues=first,
            weights=None if job.weights is None else str(job.weights.resolve()),
            modules=tuple(str(Path(entry).resolve()) for entry in sys.path),
        )


def _steps_of_an_episode(config: RunConfig) -> int:
    """The most steps that the environment allows.

    It is 1 for an environment that cannot be built, whose job will say why.
    """
    try:
        return environment_spec(config.environment).max_steps
    except Exception:
        return 1
