"""Runs that are there already: other people's first stages, and what an earlier command began.

What changes a result by rounding alone may be as it was there: which kernels compute, on what kind
of device, and how many samples at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.changes import first_change
from marl_core.runs.continuation import take_over
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import write_whole
from marl_core.sweep.jobs import Job, is_done
from marl_pr.paper.labelled_job import LabelledJob, unique

#: Settings, by their part of a config, that change a result by rounding alone.
_ROUNDING: Final = (
    ("environment", "kernels"),
    ("host", "kernels"),
    ("host", "microbatch"),
    ("training", "accelerator"),
)
#: A config as JSON.
_Settings = Mapping[str, Any]


@dataclass(frozen=True)
class _Found:
    """A finished run that somebody has trained."""

    folder: RunFolder
    config: RunConfig

    def misfit(self, job: Job) -> str | None:
        """The first setting by which the run is another than the job's; None: it is the same."""
        found = self.config.model_dump(mode="json")
        return first_change(_rounded_as(job.config, found), found)


def as_begun(jobs: Sequence[LabelledJob], folder: Path) -> list[LabelledJob]:
    """The jobs with those settings of the runs in a folder that change a result by rounding alone.

    So a run goes on as it was begun, on another machine or with other kernels installed.

    Args:
        jobs: of an item.
        folder: of the sweep.
    """
    begun: dict[str, _Settings] = {}
    for one in jobs:
        run = RunFolder(folder / one.job.name)
        if one.job.continues is None and run.config_file.exists():
            begun[one.job.name] = run.read_config().model_dump(mode="json")
    return [_as_its_beginning(one, begun) for one in jobs]


def _as_its_beginning(one: LabelledJob, begun: Mapping[str, _Settings]) -> LabelledJob:
    found = begun.get(one.job.continues or one.job.name)
    if found is None:
        return one
    config = _rounded_as(one.job.config, found)
    return replace(one, job=replace(one.job, config=config))


def _rounded_as(config: RunConfig, found: _Settings) -> RunConfig:
    """A config with those settings of another that change a result by rounding alone."""
    described = config.model_dump(mode="json")
    for part, name in _ROUNDING:
        other = found.get(part, {})
        if name in described[part] and name in other:
            described[part][name] = other[name]
    return validate_strictly(RunConfig, described)


def take_first_stages(
    jobs: Sequence[LabelledJob], source: Path, folder: Path
) -> list[str]:
    """Copy finished runs to where the sweep looks for its first stages.

    Args:
        jobs: of all items that are to be made.
        source: a run folder, or a folder of them; it stays as it is.
        folder: of the sweep.

    Returns:
        A line for each run of the source: as what it was taken, or why not.

    Raises:
        UserError: none of them can be taken; why not.
    """
    firsts = [one.job for one in unique(jobs) if one.job.continues is None]
    lines = []
    taken = 0
    for run in _runs_in(source):
        what = _taken_as(run, firsts, folder)
        taken += what.startswith("taken")
        lines.append(f"{run.path}: {what}")
    if not lines:
        raise UserError(f"{source}: there is no run here, and no folder of runs")
    if not taken:
        raise UserError(f"nothing to take as a first stage: {'; '.join(lines)}")
    return lines


def _runs_in(source: Path) -> list[RunFolder]:
    places = [source, *sorted(source.iterdir())] if source.is_dir() else []
    folders = map(RunFolder, places)
    return [folder for folder in folders if folder.config_file.is_file()]


def _taken_as(run: RunFolder, firsts: Sequence[Job], folder: Path) -> str:
    """Take a run, if it can be; say as what, or why not."""
    try:
        found = _Found(run, run.read_config())
    except UserError as error:
        return f"not taken, because its config is not valid here: {error}"
    seed = found.config.seed
    misfits = {job.name: found.misfit(job) for job in firsts if job.config.seed == seed}
    if not misfits:
        return f"not taken, because no run with seed {seed} is asked for"
    name = next((name for name, misfit in misfits.items() if misfit is None), None)
    if name is None:
        name, misfit = next(iter(misfits.items()))
        return f"not taken, because its {misfit} is not that of {name}"
    if run.start.exists():
        return "not taken, because it has begun with the parameters of another run"
    if not is_done(found.config, run):
        return "not taken, because it is not finished"
    target = RunFolder(folder / name)
    if target.config_file.exists():
        return f"taken before, or trained: {target.path} is there"
    take_over(run, target, found.config)
    write_whole(target.summary, run.summary.read_bytes())
    return f"taken as {target.path}"
