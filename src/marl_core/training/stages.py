"""A run from its config: stage after stage, each a fit of its own."""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader, IterableDataset

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import Evaluation, evaluate
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.registry import build
from marl_core.rng import generator
from marl_core.runs.compatibility import check_compatible, check_replay, check_unchanged
from marl_core.runs.folder import RunFolder, WholeCheckpointIO
from marl_core.runs.metrics_file import MetricsFile
from marl_core.training.interrupts import interruption, interrupts_between_updates
from marl_core.training.learner import Learner
from marl_core.training.progress_bar import RunProgressBar
from marl_core.training.ranks import rank
from marl_core.training.record import RecordPolicies
from marl_core.types import EnvironmentSpec, Progress


def train(
    config: RunConfig, folder: RunFolder, *, progress_bar: bool = True
) -> Evaluation | None:
    """Run all stages, or what a checkpoint in the folder leaves of them; evaluate and write ``summary.json``.

    Returns:
        How good the policy is; None on other ranks than the first, whose work ends with the training.
    """
    started = time.monotonic()
    _quieten()
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    try:
        return _train(config, folder, started, progress_bar)
    finally:  # Lightning leaves it to the end of the process, where gloo aborts now and then
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _train(
    config: RunConfig, folder: RunFolder, started: float, progress_bar: bool
) -> Evaluation | None:
    saved = folder.load_checkpoint()
    if saved is not None:
        check_unchanged(config, saved["marl"], folder.config_file)
    host, exploration, progress = prepare(config, saved)
    metrics = MetricsFile(folder.metrics, progress.updates if saved else None)
    trained = False
    for stage in range(progress.stage, len(config.stages)):
        if stage > progress.stage:
            exploration = enter_stage(config, stage, host)
            progress, saved = (
                Progress(**{**vars(progress), "stage": stage, "stage_episodes": 0}),
                None,
            )
        learner = Learner(config, host, exploration, progress, saved)
        if learner.remaining_updates:
            _fit(config, folder, learner, metrics, progress_bar)
            trained = True
        progress = learner.progress
    if rank() != 0:
        return None
    result = evaluate(
        config, host, exploration, progress, config.training.evaluation_episodes
    )
    if trained or not folder.summary.exists():
        summary = {
            **result.as_json(),
            "seed": config.seed,
            "training_episodes": progress.episodes,
            "updates": progress.updates,
            "seconds": round(time.monotonic() - started, 3),
        }
        folder.write_summary(summary)
    return result


def prepare(
    config: RunConfig, saved: Mapping[str, Any] | None = None
) -> tuple[HostAlgorithm, ExplorationStrategy, Progress]:
    """Host and exploration as they are at a checkpoint, or at the start."""
    spec = environment_spec(config)
    check_compatible(config, spec)
    host: HostAlgorithm = build(
        "host", config.host, spec, generator("cpu", config.seed, "network")
    )
    check_replay(config, host)
    progress = Progress(**saved["marl"]["progress"]) if saved else Progress()
    for stage in range(progress.stage + 1):
        exploration = enter_stage(config, stage, host)
    if saved is not None:
        prefix = "host."
        state = {
            name.removeprefix(prefix): value
            for name, value in saved["state_dict"].items()
        }
        try:
            host.load_state_dict(
                state, assign=True
            )  # a copy would round 64-true weights to float32
        except RuntimeError as error:
            raise UserError(
                "the checkpoint does not fit the run's config: other networks"
            ) from error
    return host, exploration, progress


def newest_policy(
    folder: RunFolder,
) -> tuple[RunConfig, HostAlgorithm, ExplorationStrategy, Progress]:
    """A run's config, and its host and exploration as they are at its newest checkpoint.

    Raises:
        UserError: there is no run, or it has no checkpoint yet.
    """
    config, saved = folder.load_config(), folder.load_checkpoint()
    if saved is None:
        raise UserError(
            f"{folder.checkpoint}: no checkpoint yet; `marl resume {folder.path}` trains the run"
        )
    return config, *prepare(config, saved)


def check(config: RunConfig) -> None:
    """Raise ``UserError`` where the config cannot be run: build everything once, play nothing."""
    _quieten()
    _trainer(config, [], [])
    host, _, _ = prepare(config)
    for stage in range(1, len(config.stages)):
        enter_stage(config, stage, host)


def environment_spec(config: RunConfig) -> EnvironmentSpec:
    """What the config's environment gives."""
    scratch = torch.Generator()
    return build(
        "environment", config.environment, games=1, device="cpu", generator=scratch
    ).spec


def enter_stage(
    config: RunConfig, stage: int, host: HostAlgorithm
) -> ExplorationStrategy:
    """The stage's exploration, which may change the host's networks."""
    exploration: ExplorationStrategy = build(
        "exploration", config.stage_exploration(stage)
    )
    try:
        exploration.prepare_host(host)
    except NotImplementedError as error:
        raise UserError(str(error), "stages", stage, "exploration") from error
    return exploration


class _UpdatesOfAnEpoch(IterableDataset[int]):
    """A token for each update until the next checkpoint is due."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __iter__(self) -> Iterator[int]:
        every = self._learner.run.training.checkpoint_every
        until_checkpoint = every - self._learner.progress.updates % every
        return iter(range(min(until_checkpoint, self._learner.remaining_updates)))


class _SaveEveryEpoch(Callback):
    """Writes the newest checkpoint, and ends the fit when its stage is done."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Learner)
        for logger in (
            trainer.loggers
        ):  # first: what lies before a checkpoint is never logged again
            logger.save()
        trainer.save_checkpoint(self._folder.checkpoint)
        trainer.should_stop = pl_module.remaining_updates == 0


def _fit(
    config: RunConfig,
    folder: RunFolder,
    learner: Learner,
    metrics: MetricsFile,
    progress_bar: bool,
) -> None:
    loggers: list[Logger] = [metrics]
    if config.training.tensorboard:
        # Readers drop what an interrupted process logged from here on.
        purge = learner.progress.updates + 1 if learner.progress.updates else 0
        loggers.append(
            TensorBoardLogger(
                folder.path, name="", version="tensorboard", purge_step=purge
            )
        )
    callbacks: list[Callback] = [_SaveEveryEpoch(folder)]
    if config.training.record_policies:
        callbacks.append(RecordPolicies(folder))
    if progress_bar:
        callbacks.append(RunProgressBar(config))
    trainer = _trainer(config, loggers, callbacks)
    try:
        with interrupts_between_updates(learner):
            trainer.fit(
                learner, DataLoader(_UpdatesOfAnEpoch(learner), batch_size=None)
            )
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:  # how newer versions of Lightning end on Ctrl-C
        if not trainer.interrupted:
            raise
        raise interruption() from error
    if trainer.interrupted:
        raise interruption()


def _trainer(
    config: RunConfig, loggers: list[Logger], callbacks: list[Callback]
) -> Trainer:
    training = config.training
    try:
        return Trainer(
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=training.strategy,
            precision=training.precision,
            max_epochs=-1,
            logger=loggers,
            callbacks=callbacks,
            plugins=[WholeCheckpointIO()],
            enable_checkpointing=False,
            enable_progress_bar=any(
                isinstance(callback, ProgressBar) for callback in callbacks
            ),
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except (
        ValueError,
        RuntimeError,
        TypeError,
        ImportError,
        MisconfigurationException,
    ) as error:
        reason = " ".join(str(error).split())
        message = (
            f"Lightning refuses accelerator, devices, strategy or precision: {reason}"
        )
        raise UserError(message, "training") from error


def _quieten() -> None:
    """Lightning's advice about data loaders and hardware does not concern a run that makes its own data."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
