"""What a sweep is asked to do, and how much of it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from marl_core.config.run import RunConfig
from marl_core.errors import UserError, printable, suggestion
from marl_core.runs.changes import first_change
from marl_core.runs.folder import RunFolder


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        name: its run folder, below the sweep's folder: ``ppo_ma-1A4B2C-N8-seed3``.
        config: of the run.
        continues: the name of a job of the same sweep; where that job's run has ended, this one
            starts. That job's stages are the first ones of this job, and all else is equal.
        weights: a run folder, a checkpoint or a saved state dict, with whose parameters the run
            begins; None: they are drawn anew, or are those of the job that it continues.
    """

    name: str
    config: RunConfig
    continues: str | None = None
    weights: Path | None = None


def checked(jobs: Sequence[Job]) -> dict[str, Job]:
    """Check jobs against each other.

    Args:
        jobs: in the order in which they shall start. Equal jobs count once.

    Returns:
        The jobs by their names, in the same order.

    Raises:
        UserError: names cannot be folders or stand for two things, or a job cannot continue the
            one that it names.
    """
    by_name: dict[str, Job] = {}
    for job in jobs:
        _check_name(job.name)
        _check_processes(job)
        same = by_name.setdefault(job.name, job)
        if same.config != job.config:
            raise _mistake(job, "two jobs have this name, and their configs differ")
        if same.weights != job.weights:
            raise _mistake(job, "two jobs have this name, and their weights differ")
        # Of equal runs, the one that continues another is the shorter way.
        if same.continues is None:
            by_name[job.name] = job
    for job in by_name.values():
        _check_continued(job, by_name)
        _check_place(job, by_name)
    return by_name


def is_begun(
    config: RunConfig,
    folder: RunFolder,
) -> bool:
    """Whether this very run is in a folder.

    Args:
        config: of the run.
        folder: where it should be.

    Raises:
        UserError: another run is in the folder.
    """
    if not folder.config_file.exists():
        return False
    found = folder.read_config().model_dump(mode="json")
    changed = first_change(config, found)
    if changed is not None:
        what = f"another experiment's run is here: its {changed} is not what this sweep asks for"
        advice = "move it away, or sweep in another folder"
        raise UserError(f"{folder.path}: {what}; {advice}")
    return True


def is_done(
    config: RunConfig,
    folder: RunFolder,
) -> bool:
    """Whether the run in a folder has trained all its episodes and has been evaluated.

    Args:
        config: of the run.
        folder: of the run.
    """
    try:
        summary = json.loads(folder.summary.read_bytes())
        return bool(summary["training_episodes"] == config.episodes)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def folder_of(
    job: Job,
    folder: Path,
) -> RunFolder:
    """The run folder of a job.

    Args:
        job: of a sweep.
        folder: of the sweep.
    """
    return RunFolder(folder / job.name)


def _mistake(
    job: Job,
    message: str,
) -> UserError:
    return UserError(f"job '{job.name}': {message}")


def _check_name(name: str) -> None:
    path = PurePath(name)
    is_normal = name not in ("", ".") and str(path) == name
    is_below = not path.is_absolute() and ".." not in path.parts
    is_shown = name == printable(name)
    if not is_normal or not is_below or not is_shown:
        message = "a job's name is a folder's, below the sweep's, of visible letters"
        raise UserError(f"job '{name}': {message}")


def _check_processes(job: Job) -> None:
    if job.config.training.processes != 1:
        message = (
            "training.devices or num_nodes is not 1, "
            "and a sweep gives each run one process"
        )
        raise _mistake(job, message)


def _check_continued(
    job: Job,
    jobs: Mapping[str, Job],
) -> None:
    if job.continues is None:
        return
    claim = f"it continues '{job.continues}'"
    if job.weights is not None:
        raise _mistake(job, f"{claim}, and so cannot begin with weights of a file")
    if job.continues not in jobs:
        hint = suggestion(job.continues, jobs)
        raise _mistake(job, f"{claim}, which is not in the sweep{hint}")
    first = jobs[job.continues].config
    count = len(first.stages)
    if count >= len(job.config.stages):
        raise _mistake(job, f"{claim}, but has no more stages than that")
    beginning = {"stages": job.config.stages[:count]}
    if first != job.config.model_copy(update=beginning):
        difference = "they differ in more than the stages after that one's"
        raise _mistake(job, f"{claim}, but {difference}")


def _check_place(
    job: Job,
    jobs: Mapping[str, Job],
) -> None:
    for parent in PurePath(job.name).parents:
        if str(parent) in jobs:
            message = f"its folder would be inside of job '{parent}'"
            raise _mistake(job, message)
