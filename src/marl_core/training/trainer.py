"""Lightning's trainer for a run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import Logger

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.checkpoint_io import WholeCheckpointIO


def make_trainer(
    config: RunConfig, loggers: Sequence[Logger], callbacks: Sequence[Callback]
) -> Trainer:
    """A trainer for one fit.

    Args:
        config: the run's; ``training`` says on what and how.
        loggers: get the metrics.
        callbacks: called by the trainer.

    Raises:
        UserError: Lightning refuses the settings.
    """
    training = config.training
    shows_progress = any(isinstance(callback, ProgressBar) for callback in callbacks)
    try:
        return Trainer(
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=training.strategy,
            precision=training.precision,
            max_epochs=-1,
            logger=list(loggers),
            callbacks=list(callbacks),
            plugins=[WholeCheckpointIO()],
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
        raise UserError(f"{message}: {reason}", "training") from error


def quieten() -> None:
    """Silence Lightning's advice about data loaders and hardware: this project's runs make their own data."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
