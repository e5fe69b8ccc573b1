"""What is common to all ways in which a run is driven."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from marl_core.api.sources import source_of
from marl_core.config.run import RunConfig
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from marl_core.training import stages
from marl_core.training.ranks import rank
from marl_core.training.watchers import Watchers


def drive(folder: RunFolder, watchers: Watchers) -> None:
    """Train what is left of a run.

    Args:
        folder: the run's.
        watchers: what watches it.

    Raises:
        UserError: another process trains this run, or it cannot go on.
    """
    config = folder.load_config()
    # Rank 0 holds the lock for all ranks.
    lock = run_lock(folder.path) if rank() == 0 else nullcontext()
    with lock:
        stages.train(config, folder, watchers)


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
