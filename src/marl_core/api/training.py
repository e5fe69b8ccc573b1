"""``train``: a run from the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marl_core.api.driving import drive_held, held
from marl_core.api.run import Run
from marl_core.api.sources import AnyConfig, default_folder, shared_folder, source_of
from marl_core.config.overrides import Overrides
from marl_core.runs.folder import RunFolder
from marl_core.runs.sources import check_sources
from marl_core.runs.transfer import begin, check_beginning
from marl_core.training import stages
from marl_core.training.place import place_of, was_restarted
from marl_core.training.watchers import Watchers

if TYPE_CHECKING:
    from lightning import Callback
    from lightning.pytorch.loggers import Logger


def train(
    config: AnyConfig,
    *,
    set: Overrides | None = None,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    progress: bool = True,
    resume: bool = False,
    weights: str | Path | None = None,
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
        resume: whether to go on where the folder holds this very run already, as a job does that
            is started again. torchrun and SLURM say so themselves where they have restarted it.
        weights: what the team begins with: a run folder, a checkpoint, or a file that
            ``torch.save`` wrote from a state dict. Parameters whose names and shapes fit are taken;
            ``Run.transferred`` names them. None: all are drawn anew.

    Returns:
        The finished run.

    Raises:
        UserError: the config cannot be run, no parameter of ``weights`` fits, or there is a run in
            the folder already.
    """
    source = source_of(config, set or {})
    run_config = source.config()
    with source.blamed():
        stages.check(run_config)
    chosen = default_folder(source, run_config) if out is None else Path(out)
    place = place_of(run_config.training)
    with shared_folder(chosen, place) as path:
        folder = RunFolder(path, trust=True)  # it gets what the caller's config names
        with held(folder, place):
            goes_on = (resume or was_restarted()) and folder.holds(run_config)
            if goes_on:
                check_sources(folder)
                check_beginning(folder, weights)
            elif place.rank == 0:
                begin(folder, run_config, weights)
            drive_held(folder, Watchers(callbacks, loggers, progress), run_config)
        return Run(path, trust=True)
