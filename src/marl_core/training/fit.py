"""One stage of a run: a fit of Lightning's trainer, with a checkpoint every so often."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import final

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader, IterableDataset

from marl_core.runs.folder import RunFolder
from marl_core.training.interrupts import interruption, interrupts_between_updates
from marl_core.training.learner import Learner
from marl_core.training.progress_bar import RunProgressBar
from marl_core.training.record import RecordPolicies
from marl_core.training.trainer import make_trainer


def fit(
    learner: Learner,
    folder: RunFolder,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
    progress_bar: bool,
) -> None:
    """Train to the end of the learner's stage.

    Args:
        learner: at the start of the stage, or where it goes on.
        folder: where checkpoints go.
        loggers: get the metrics.
        callbacks: called by the trainer, beside the run's own.
        progress_bar: whether progress is shown.

    Raises:
        KeyboardInterrupt: Ctrl-C; the checkpoint of the last update is written.
        SystemExit: the process was asked to end.
        UserError: Lightning refuses the settings.
    """
    config = learner.run
    every_logger = [*loggers, *_tensorboard(learner, folder)]
    every_callback: list[Callback] = [*callbacks, SaveEveryEpoch(folder)]
    if config.training.record_policies:
        every_callback.append(RecordPolicies(folder))
    if progress_bar:
        every_callback.append(RunProgressBar(config))
    trainer = make_trainer(config, every_logger, every_callback)
    updates = DataLoader(UpdatesUntilCheckpoint(learner), batch_size=None)
    try:
        with interrupts_between_updates(learner):
            trainer.fit(learner, updates)
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:  # how newer versions of Lightning end on Ctrl-C
        if not trainer.interrupted:
            raise
        raise interruption() from error
    if trainer.interrupted:
        raise interruption()


def _tensorboard(learner: Learner, folder: RunFolder) -> list[Logger]:
    if not learner.run.training.tensorboard:
        return []
    updates = learner.progress.updates
    # Readers drop what an interrupted process logged from here on.
    purge = updates + 1 if updates else 0
    return [
        TensorBoardLogger(folder.path, name="", version="tensorboard", purge_step=purge)
    ]


@final
class UpdatesUntilCheckpoint(IterableDataset[int]):
    """A token for each update until the next checkpoint is due: Lightning's epoch.

    Args:
        learner: says how far the run is.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __iter__(self) -> Iterator[int]:
        every = self._learner.run.training.checkpoint_every
        until_checkpoint = every - self._learner.progress.updates % every
        return iter(range(min(until_checkpoint, self._learner.remaining_updates)))


@final
class SaveEveryEpoch(Callback):
    """Writes the newest checkpoint, and ends the fit when its stage is done.

    Args:
        folder: where it goes.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        assert isinstance(pl_module, Learner)
        # Loggers first: what lies before a checkpoint is never logged again.
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self._folder.checkpoint)
        trainer.should_stop = pl_module.remaining_updates == 0
