"""A run, stage after stage. Each stage is a fit of its own."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from marl_core.config.run import RunConfig
from marl_core.evaluation.evaluate import evaluate
from marl_core.evaluation.scores import Evaluation
from marl_core.run_state import RunState
from marl_core.runs.assembly import (
    beginning_state,
    first_state,
    next_stage,
    saved_state,
)
from marl_core.runs.changes import check_unchanged
from marl_core.runs.checkpoint_file import logged_at
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_file import MetricsFile
from marl_core.runs.provenance import cpu_name
from marl_core.training.compiler import check_compiler
from marl_core.training.devices import on_its_device
from marl_core.training.fit import fit
from marl_core.training.learner import Learner
from marl_core.training.lost_ranks import lost_ranks_told
from marl_core.training.place import Place, place_of
from marl_core.training.plugins import make_callbacks, make_loggers
from marl_core.training.ranks import known_to_lightning
from marl_core.training.trainer import make_trainer, quiet
from marl_core.training.watchers import Watchers


def train(
    config: RunConfig,
    folder: RunFolder,
    watchers: Watchers | None = None,
) -> Evaluation | None:
    """Run all stages, or what a checkpoint leaves of them; evaluate and write ``summary.json``.

    Args:
        config: the run's.
        folder: where checkpoints and metrics go.
        watchers: what watches the run; by default a progress bar.

    Returns:
        How good the policy is; None on other ranks than the first, whose work ends with the
        training.

    Raises:
        UserError: the parts do not fit together, or the checkpoint does not fit the config.
        RankLostError: another process of the run has ended.
    """
    place = place_of(config.training)
    with known_to_lightning(place.rank), lost_ranks_told(place, folder.path):
        return _train_at(place, config, folder, watchers or Watchers())


def _train_at(
    place: Place,
    config: RunConfig,
    folder: RunFolder,
    watchers: Watchers,
) -> Evaluation | None:
    started = time.monotonic()
    threads = torch.get_num_threads()
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    try:
        with quiet():
            state, trained = _train(config, folder, watchers, place)
            if place.rank != 0:
                return None
            return _finish(state, folder, started, trained)
    finally:
        torch.set_num_threads(threads)
        # Lightning leaves it to the end of the process, where gloo aborts now and then.
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _train(
    config: RunConfig, folder: RunFolder, watchers: Watchers, place: Place
) -> tuple[RunState, bool]:
    """The run at its end, and whether anything was left to do."""
    saved = folder.take_up_checkpoint()
    kept = 0
    if saved is None:
        state = beginning_state(config, folder)
    else:
        check_unchanged(config, saved["marl"], folder.config_file)
        state = saved_state(config, saved)
        kept = logged_at(saved).rows
    metrics = MetricsFile(folder.metrics, kept)
    every_watcher: Watchers | None = None
    trained = False
    for stage in range(state.progress.stage, len(config.stages)):
        if stage > state.progress.stage:
            state = next_stage(state)
            saved = None
        learner = Learner(state, saved)
        if learner.remaining_updates:
            if every_watcher is None:
                every_watcher = _with_config(
                    watchers,
                    metrics,
                    state,
                    folder,
                )
            fit(learner, folder, every_watcher, place)
            trained = True
        state = learner.state
    return state, trained


def _with_config(
    watchers: Watchers,
    metrics: MetricsFile,
    state: RunState,
    folder: RunFolder,
) -> Watchers:
    """The watchers with those that the config names, made once for all stages."""
    config = state.config
    loggers = make_loggers(config, folder, state.progress)
    callbacks = make_callbacks(config.callbacks)
    return replace(
        watchers,
        loggers=[metrics, *loggers, *watchers.loggers],
        callbacks=[*callbacks, *watchers.callbacks],
    )


def _finish(
    state: RunState,
    folder: RunFolder,
    started: float,
    trained: bool,
) -> Evaluation:
    config = state.config
    device = on_its_device(state)
    result = evaluate(state, config.training.evaluation_episodes, device)
    if trained or not folder.has_summary():
        summary = {
            **result.as_json(),
            "seed": config.seed,
            "training_episodes": state.progress.episodes,
            "updates": state.progress.updates,
            "seconds": round(time.monotonic() - started, 3),
            "cpu": cpu_name(),
        }
        folder.write_summary(summary)
    return result


def check(config: RunConfig) -> None:
    """See whether a config can be run: build everything once, play nothing.

    Args:
        config: the run's.

    Raises:
        UserError: it cannot.
    """
    with quiet():
        # As if this were rank 0: which processes there are is seen where they train.
        if config.training.compile:
            check_compiler(config.training)
        make_trainer(config, [], [], Place(processes=config.training.processes))
        state = first_state(config)
        while state.progress.stage + 1 < len(config.stages):
            state = next_stage(state)
