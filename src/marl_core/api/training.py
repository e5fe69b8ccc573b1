"""``train``, and what is common to all ways in which a run is driven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marl_core.api.sources import AnyConfig, default_folder, shared_folder, source_of
from marl_core.config.overrides import Overrides
from marl_core.config.run import RunConfig
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from marl_core.training import stages
from marl_core.training.ranks import rank
from marl_core.training.watchers import Watchers

if TYPE_CHECKING:
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

    from marl_core.api.run import Run


def train(
    config: AnyConfig,
    *,
    set: Overrides | None = None,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    progress: bool = True,
) -> Run:
    """Train a run from the start.

    Usage::

        run = train("examples/fme_pr.yaml", set={"seed": 1}, out="runs/a")
        run.summary["return"].exact

    Args:
        config: a YAML file, a ``RunConfig``, or plain values as a file would give them.
        set: settings over the config, by their dotted keys: ``{"stages.1.episodes": 512}``.
        out: the run folder; by default ``runs/NAME-SETTINGS-seedSEED``.
        callbacks: Lightning's; the trainer of every stage gets them.
        loggers: Lightning's; they get every line of metrics, beside those that the config names.
        progress: whether progress is shown on standard error.

    Returns:
        The finished run.

    Raises:
        UserError: the config cannot be run, or there is a run in the folder already.
    """
    source = source_of(config, set or {})
    run_config = source.config()
    with source.blamed():
        stages.check(run_config)
    chosen = default_folder(source, run_config) if out is None else Path(out)
    with shared_folder(chosen) as path:
        folder = RunFolder(path)
        if rank() == 0:
            folder.create(run_config)
        return drive(folder, callbacks, loggers, progress)


def drive(
    folder: RunFolder,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    progress: bool = True,
) -> Run:
    """Train what is left of a run.

    Args:
        folder: the run's.
        callbacks: see ``train``.
        loggers: see ``train``.
        progress: see ``train``.

    Raises:
        UserError: another process trains this run, or it cannot go on.
    """
    from marl_core.api.run import Run

    config = folder.load_config()
    watchers = Watchers(callbacks, loggers, progress)
    # Rank 0 holds the lock for all ranks.
    with run_lock(folder.path) if rank() == 0 else nullcontext():
        stages.train(config, folder, watchers)
    return Run(folder.path)


def config_with(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
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
