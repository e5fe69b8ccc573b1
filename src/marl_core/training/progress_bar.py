"""One progress bar for a whole run."""

from __future__ import annotations

from typing import Any, final

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from marl_core.config.run import RunConfig


@final
class RunProgressBar(ProgressBar):
    """Episodes of all stages, the newest exact or greedy return, and the time left; on standard error, rank 0."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config = config
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._disabled = False

    def disable(self) -> None:
        """Show nothing."""
        self._disabled = True

    def enable(self) -> None:
        """Show the bar, on rank 0."""
        self._disabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar where the run is."""
        if self._disabled or not trainer.is_global_zero:
            return
        columns = (
            TextColumn("stage {task.fields[stage]}/" + str(len(self._config.stages))),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("episodes"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[score]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task(
            "run", total=self._config.episodes, stage="1", score=""
        )
        self._bar.start()
        self._show(pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move on by an update."""
        self._show(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the message that follows is legible."""
        self.on_train_end(trainer, pl_module)

    def _show(self, pl_module: Any) -> None:
        if self._bar is not None:
            progress, score = pl_module.progress, pl_module.latest_return
            shown = "" if score is None else f"return {score:.3f}"
            self._bar.update(
                self._task,
                completed=progress.episodes,
                stage=str(progress.stage + 1),
                score=shown,
            )
