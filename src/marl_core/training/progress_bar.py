"""One progress bar for a whole run, on a terminal."""

from __future__ import annotations

from typing import Any, final

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from marl_core.config.run import RunConfig
from marl_core.training.learner import Learner
from marl_core.training.progress_text import ProgressText

#: Characters of the bar itself, where there is room.
_BAR = 20
#: Below this width the bar gives way to the numbers.
_WIDE = 100


@final
class RunProgressBar(ProgressBar):
    """Episodes of all stages, the newest score, the speed and the time left; on standard error.

    Args:
        config: the run's.
        console: where to show it; by default standard error.
    """

    def __init__(
        self,
        config: RunConfig,
        console: Console | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._disabled = False

    def disable(self) -> None:
        """Show nothing."""
        self._disabled = True

    def enable(self) -> None:
        """Show the bar, on rank 0."""
        self._disabled = False

    def on_train_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
    ) -> None:
        """Open the bar where the run is.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        if self._disabled or not trainer.is_global_zero:
            return
        text = TextColumn("{task.fields[text]}")
        wide = self._console.width >= _WIDE
        columns = (BarColumn(_BAR), text) if wide else (text,)
        self._bar = Progress(*columns, console=self._console)
        self._task = self._bar.add_task(
            "run",
            total=self._config.episodes,
            text="",
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
        """Move on by an update.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
            outputs: unused.
            batch: unused.
            batch_idx: unused.
        """
        self._show(pl_module)

    def on_train_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
    ) -> None:
        """Close the bar.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_exception(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        exception: BaseException,
    ) -> None:
        """Close the bar, so that the message that follows is legible.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
            exception: what went wrong.
        """
        self.on_train_end(trainer, pl_module)

    def _show(self, learner: LightningModule) -> None:
        if self._bar is None:
            return
        assert isinstance(learner, Learner)
        width = self._console.width
        room = width - _BAR - 2 if width >= _WIDE else width
        text = ProgressText.of(learner).numbers(room)
        episodes = learner.progress.episodes
        self._bar.update(self._task, completed=episodes, text=text)
