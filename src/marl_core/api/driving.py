"""What is common to all ways in which a run is driven."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from marl_core.api.sources import source_of
from marl_core.config.run import RunConfig
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from marl_core.runs.sources import check_sources
from marl_core.runs.whole_writes import naming_at_least
from marl_core.training import stages
from marl_core.training.place import Place, place_of
from marl_core.training.watchers import Watchers


def drive(
    folder: RunFolder,
    watchers: Watchers,
    *,
    changed_code: bool = False,
) -> None:
    """Train what is left of a run.

    Args:
        folder: the run's.
        watchers: what watches it.
        changed_code: whether to go on though a module that the config names has changed.

    Raises:
        UserError: another process trains this run, or it cannot go on.
    """
    check_sources(folder, changed_code=changed_code)
    config = folder.load_config()  # a folder that holds no run is left alone
    with held(folder, place_of(config.training)):
        drive_held(folder, watchers, config)


def drive_held(folder: RunFolder, watchers: Watchers, config: RunConfig) -> None:
    """Train what is left of a run whose folder is held.

    Args:
        folder: the run's.
        watchers: what watches it.
        config: the run's. On other ranks than the first it may not be in the folder yet.

    Raises:
        UserError: the run cannot go on.
        OSError: a file cannot be written or read. It names the file, or else the run folder.
    """
    with naming_at_least(folder.path):
        stages.train(config, folder, watchers)


def held(folder: RunFolder, place: Place) -> AbstractContextManager[None]:
    """Hold a run folder: what is seen in it stays so until it is written to.

    Args:
        folder: the run's.
        place: of this process. Rank 0 holds the folder for all ranks.

    Raises:
        UserError: another process trains this run, or the folder cannot be created.
    """
    return run_lock(folder.path) if place.rank == 0 else nullcontext()


def config_with(
    config: RunConfig,
    changes: Mapping[str, Any],
) -> RunConfig:
    """A config with some of its parts replaced, validated anew.

    Args:
        config: a run's.
        changes: the new parts by their keys, as plain values or configs.

    Raises:
        UserError: the result is no valid config, or cannot be run.
    """
    values = {**config.model_dump(mode="json"), **changes}
    source = source_of(values)
    changed = source.config()
    with source.blamed():
        stages.check(changed)
    return changed
