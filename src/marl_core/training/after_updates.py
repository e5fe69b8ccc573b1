"""A base of callbacks that look at the learner when a fit begins, and after each update."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from marl_core.training.learner import Learner


class AfterUpdates(Callback):
    """Calls ``begin`` and ``updated``, which do nothing here. Abstract base."""

    def begin(self, trainer: Trainer, learner: Learner) -> None:
        """The fit begins.

        Args:
            trainer: Lightning's.
            learner: of the stage.
        """

    def updated(self, trainer: Trainer, learner: Learner) -> None:
        """An update has been made, and logged and evaluated where that was due.

        Args:
            trainer: Lightning's.
            learner: of the stage.
        """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The fit begins.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        assert isinstance(pl_module, Learner)
        self.begin(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """An update has been made.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
            outputs: unused.
            batch: unused.
            batch_idx: unused.
        """
        assert isinstance(pl_module, Learner)
        self.updated(trainer, pl_module)
