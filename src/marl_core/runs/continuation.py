"""A run that goes on in another folder, from where an earlier one is."""

from __future__ import annotations

import shutil
from pathlib import Path

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import PART, create_output_folder, write_whole

#: What a run that continues another does not take over from its folder.
_OWN = (
    "config.yaml",
    "summary.json",
    "lock",
    "error.txt",
    "set_aside.ckpt",
    f"*{PART}",
)


def take_over(
    first: RunFolder,
    folder: RunFolder,
    config: RunConfig,
) -> None:
    """Have a folder hold a run that goes on exactly from another run's newest checkpoint.

    Metrics, kept policies and logs are copied too. Only with ``config.yaml``, the last file, the
    folder is a run at all.

    Args:
        first: the run that is continued; it stays as it is.
        folder: where the new run goes.
        config: the new run's. Its stages begin with those that the first run has begun.

    Raises:
        UserError: the first run has no checkpoint, or the folder cannot be created.
    """
    if not first.checkpoints.exist():
        message = "the run has no checkpoint yet, or its checkpoint is gone"
        raise UserError(f"{first.path}: {message}, so nothing can continue it")
    create_output_folder(folder.path, "run folder")
    shutil.copytree(
        first.path,
        folder.path,
        ignore=shutil.ignore_patterns(*_OWN),
        copy_function=_copy_whole,
        dirs_exist_ok=True,
    )
    write_whole(folder.config_file, dump_run(config).encode())


def _copy_whole(source: str, target: str) -> None:
    write_whole(Path(target), Path(source).read_bytes())
