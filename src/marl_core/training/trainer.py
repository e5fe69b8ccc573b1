"""Lightning's trainer for a run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy

from marl_core.config.run import RunConfig, TrainingConfig
from marl_core.errors import UserError
from marl_core.runs.checkpoint_io import WholeCheckpointIO
from marl_core.training.devices import accelerator_of
from marl_core.training.place import Place
from marl_core.training.run_environment import RunEnvironment

_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning")


def make_trainer(
    config: RunConfig,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
    place: Place,
    folder: Path | None = None,
) -> Trainer:
    """A trainer for one fit.

    Args:
        config: the run's; ``training`` says on what and how.
        loggers: get the metrics.
        callbacks: called by the trainer.
        place: of this process.
        folder: of the run; None: the trainer is only looked at.

    Raises:
        UserError: Lightning refuses the settings.
    """
    training = config.training
    shows_progress = any(isinstance(callback, ProgressBar) for callback in callbacks)
    try:
        trainer = Trainer(
            accelerator=accelerator_of(training),
            devices=training.devices,
            num_nodes=training.num_nodes,
            strategy=training.strategy,
            precision=training.precision,
            max_epochs=-1,
            logger=list(loggers),
            default_root_dir=folder,
            callbacks=list(callbacks),
            plugins=[WholeCheckpointIO(), RunEnvironment(place)],
            enable_checkpointing=False,
            enable_progress_bar=shows_progress,
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
        message = "Lightning refuses accelerator, devices, strategy or precision"
        raise UserError(
            f"{message}: {reason}{_advice(training)}", "training"
        ) from error
    _check_strategy(trainer.strategy, training)
    return trainer


def _check_strategy(strategy: Strategy, training: TrainingConfig) -> None:
    """Refuse what would train something else than this project's runs are."""
    if isinstance(strategy, SingleDeviceStrategy):
        return
    # Spawned and forked processes take what they have learnt with them; sharded ones have parts.
    whole = type(strategy) is DDPStrategy and strategy._start_method == "popen"
    if not whole:
        message = f"strategy '{training.strategy}' is not one of auto, ddp"
        raise UserError(message, "training", "strategy")


def _advice(training: TrainingConfig) -> str:
    """What to do where a GPU is asked for and there is none."""
    wants_gpu = training.accelerator in ("gpu", "cuda")
    if not wants_gpu or torch.cuda.is_available():
        return ""
    return "; there is no GPU here: `accelerator: auto` takes what there is"


@contextmanager
def quiet() -> Iterator[None]:
    """Inside of it, Lightning gives no advice about data loaders and hardware.

    This project's runs make their own data. Log levels and warning filters are restored at the end.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
