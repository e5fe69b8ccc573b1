"""What a sweep is asked to do, and how much of it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from marl_core.config.run import RunConfig
from marl_core.errors import UserError, suggestion
from marl_core.runs.changes import first_change
from marl_core.runs.folder import RunFolder


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        name: its run folder, below the sweep's folder: ``ppo_ma-1A4B2C-N8-seed3``.
        config: the run's.
        continues: the name of a job of the same sweep whose stages are the first ones of this job's, and which is
            equal in everything else: where that job's run has ended, this one starts.
    """

    name: str
    config: RunConfig
    continues: str | None = None


def checked(jobs: Sequence[Job]) -> dict[str, Job]:
    """The jobs by name, equal ones once.

    Raises:
        UserError: names that cannot be folders or that stand for two things, or a job that cannot be continued so.
    """
    by_name: dict[str, Job] = {}
    for job in jobs:
        _check_name(job.name)
        if job.config.training.devices != 1:
            raise UserError(
                f"job '{job.name}': training.devices is not 1, and a sweep gives each run one process"
            )
        same = by_name.setdefault(job.name, job)
        if same.config != job.config:
            raise UserError(
                f"job '{job.name}': two jobs have this name, and their configs differ"
            )
        if same.continues is None:  # equal runs, and this way is the shorter one
            by_name[job.name] = job
    for job in by_name.values():
        _check_continued(job, by_name)
        inside = next(
            (
                str(parent)
                for parent in PurePath(job.name).parents
                if str(parent) in by_name
            ),
            None,
        )
        if inside is not None:
            raise UserError(
                f"job '{job.name}': its folder would be inside of job '{inside}'"
            )
    return by_name


def _check_name(name: str) -> None:
    path = PurePath(name)
    if (
        not name
        or path.is_absolute()
        or ".." in path.parts
        or str(path) != name
        or name == "."
    ):
        raise UserError(f"job '{name}': a job's name is a folder's, below the sweep's")


def _check_continued(job: Job, jobs: Mapping[str, Job]) -> None:
    if job.continues is None:
        return
    if job.continues not in jobs:
        hint = suggestion(job.continues, jobs)
        raise UserError(
            f"job '{job.name}': it continues '{job.continues}', which is not in the sweep{hint}"
        )
    first = jobs[job.continues].config
    if len(first.stages) >= len(job.config.stages):
        raise UserError(
            f"job '{job.name}': it continues '{job.continues}', but has no more stages than that"
        )
    if first != job.config.model_copy(
        update={"stages": job.config.stages[: len(first.stages)]}
    ):
        message = f"it continues '{job.continues}', but they differ in more than the stages after that one's"
        raise UserError(f"job '{job.name}': {message}")


def is_begun(config: RunConfig, folder: RunFolder) -> bool:
    """Whether this very run is in the folder. Raises ``UserError`` where another one is."""
    if not folder.config_file.exists():
        return False
    changed = first_change(config, folder.load_config().model_dump(mode="json"))
    if changed is not None:
        message = f"another experiment's run is here: its {changed} is not what this sweep asks for"
        raise UserError(
            f"{folder.path}: {message}; move it away, or sweep in another folder"
        )
    return True


def is_done(config: RunConfig, folder: RunFolder) -> bool:
    """Whether the run in the folder has trained all its episodes and has been evaluated."""
    try:
        summary = json.loads(folder.summary.read_bytes())
        return bool(summary["training_episodes"] == config.episodes)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def folder_of(job: Job, folder: Path) -> RunFolder:
    """The job's run folder in a sweep's folder."""
    return RunFolder(folder / job.name)
