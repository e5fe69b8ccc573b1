"""One stage of a run: a fit of Lightning's trainer, with a checkpoint every so often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, IterableDataset

from marl_core.runs.folder import RunFolder
from marl_core.training.company import in_company
from marl_core.training.determinism import deterministic
from marl_core.training.interrupts import EndBetweenUpdates, interruption
from marl_core.training.keeping import KeepCheckpoints
from marl_core.training.learner import Learner
from marl_core.training.place import Place
from marl_core.training.progress_bar import RunProgressBar
from marl_core.training.progress_lines import ProgressLines, is_watched
from marl_core.training.ranks import ToldByFirst
from marl_core.training.record import RecordPolicies
from marl_core.training.trainer import make_trainer
from marl_core.training.watchers import Watchers


def fit(
    learner: Learner,
    folder: RunFolder,
    watchers: Watchers,
    place: Place,
) -> None:
    """Train to the end of the learner's stage.

    Args:
        learner: at the start of the stage, or where it goes on.
        folder: where checkpoints go.
        watchers: everything that watches the run.
        place: of this process; it starts the others of its machine.

    Raises:
        KeyboardInterrupt: Ctrl-C; the checkpoint of the last update is written.
        SystemExit: the process was asked to end; the checkpoint of the last update is written.
        UserError: Lightning refuses the settings.
    """
    config = learner.run
    ending = EndBetweenUpdates(learner)
    callbacks: list[Callback] = [*watchers.callbacks, ending, SaveEveryEpoch(folder)]
    keep = config.training.keep
    if keep.every is not None or keep.best is not None:
        callbacks.append(KeepCheckpoints(folder, keep))
    if config.training.record_policies:
        callbacks.append(RecordPolicies(folder))
    if watchers.progress_bar:
        callbacks.append(RunProgressBar(config) if is_watched() else ProgressLines())
    place = in_company(place, folder.path)
    trainer = make_trainer(config, watchers.loggers, callbacks, place, folder.path)
    updates = DataLoader(UpdatesUntilCheckpoint(learner), batch_size=None)
    try:
        with ending.listening(), deterministic(trainer.strategy.root_device):
            trainer.fit(learner, updates)
    except SystemExit as error:  # how newer versions of Lightning end on Ctrl-C
        if isinstance(error, ToldByFirst) or not trainer.interrupted:
            raise
        raise interruption(learner) from error
    finally:
        learner.close()
    if trainer.interrupted or learner.stops:
        raise interruption(learner)


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

    def on_train_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
    ) -> None:
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
        ends = pl_module.remaining_updates == 0 or pl_module.stops
        trainer.should_stop = ends
