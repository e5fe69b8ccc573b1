"""What a worker does for a job."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.errors import UserError
from marl_core.registry import look_for_modules_in
from marl_core.runs.continuation import take_over
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from marl_core.runs.sources import check_sources
from marl_core.runs.transfer import begin
from marl_core.runs.whole_writes import write_whole
from marl_core.sweep.jobs import is_begun, is_done
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers

#: Seconds to wait for the workers of an earlier sweep that was killed: they end soon after it.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Task:
    """A job as a message to a worker.

    Args:
        path: of the run folder.
        config: of the run, as JSON.
        continues: the folder of the finished run that this one goes on from, if it does.
        weights: the file with whose parameters the run begins, if it does.
        modules: folders of the modules that configs name.
    """

    path: str
    config: dict[str, Any]
    continues: str | None
    weights: str | None
    modules: tuple[str, ...]


def perform(task: Task) -> str | None:
    """Train a run to its end.

    Args:
        task: which run.

    Returns:
        None, or a line that says why it failed. The whole traceback is in the run folder's
        ``error.txt``.
    """
    path = Path(task.path)
    try:
        with run_lock(path, _PATIENCE):
            return _perform_locked(task, RunFolder(path))
    except (UserError, OSError) as error:
        # These are the lock's.
        return _line(error)


def _perform_locked(
    task: Task,
    folder: RunFolder,
) -> str | None:
    report = folder.path / "error.txt"
    try:
        _train(task, folder)
    # Lightning makes a KeyboardInterrupt of a component's sys.exit().
    except (Exception, KeyboardInterrupt) as error:
        with suppress(OSError):
            report.write_text(
                traceback.format_exc(), encoding="utf-8", errors="backslashreplace"
            )
        return _line(error)
    report.unlink(missing_ok=True)
    return None


def _train(
    task: Task,
    folder: RunFolder,
) -> None:
    # Again for each task, because a run may have set its own number.
    torch.set_num_threads(1)
    look_for_modules_in(*task.modules)
    config = validate_strictly(RunConfig, task.config)
    _prepare(folder, config, task)
    if not is_done(config, folder):
        train(config, folder, Watchers(progress_bar=False))


def _prepare(
    folder: RunFolder,
    config: RunConfig,
    task: Task,
) -> None:
    """Have the folder hold this run, with what has been trained of it already."""
    if is_begun(config, folder):
        # The configs may differ in what makes no difference to what is learnt.
        check_sources(folder)
        found = folder.read_config().model_dump(mode="json")
        if found != config.model_dump(mode="json"):
            write_whole(folder.config_file, dump_run(config).encode())
    elif task.continues is None:
        begin(folder, config, task.weights)
    else:
        take_over(RunFolder(Path(task.continues)), folder, config)


def _line(error: BaseException) -> str:
    message = " ".join(str(error).split())
    if isinstance(error, UserError):
        return message
    return f"{type(error).__name__}: {message}".removesuffix(": ")
