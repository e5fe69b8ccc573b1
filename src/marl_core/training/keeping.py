"""Keeping checkpoints besides the newest: the best, and some at regular distances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

import torch
from lightning import Trainer

from marl_core.config.run import KeepConfig
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_rows import metrics_rows
from marl_core.training.after_updates import AfterUpdates
from marl_core.training.learner import Learner


@final
class KeepCheckpoints(AfterUpdates):
    """``training.keep``: writes ``checkpoints/best.ckpt`` and ``checkpoints/update-UPDATE.ckpt``.

    What was the best until now is read from ``metrics.csv``, so that a resumed run keeps what an
    unbroken one would.

    Args:
        folder: of the run.
        rule: which are kept.
    """

    def __init__(self, folder: RunFolder, rule: KeepConfig) -> None:
        self._folder = folder
        self._rule = rule
        self._best: float | None = None

    def begin(self, trainer: Trainer, learner: Learner) -> None:
        """See whether the metric is one that is measured, and what was the best of it.

        Args:
            trainer: Lightning's.
            learner: of the stage.

        Raises:
            UserError: the metric is none that an evaluation measures.
        """
        metric = self._rule.best
        if metric is None or learner.global_rank != 0:
            return
        if learner.latest is not None:
            _check_measured(metric, learner.latest.metrics())
        self._best = self._best_of(_evaluated(self._folder, metric))

    def updated(self, trainer: Trainer, learner: Learner) -> None:
        """Keep what is due.

        Args:
            trainer: Lightning's.
            learner: of the stage.
        """
        every, updates = self._rule.every, learner.progress.updates
        if every is not None and updates % every == 0:
            trainer.save_checkpoint(self._folder.kept(f"update-{updates:08d}"))
        judged = self._rule.best is not None and learner.evaluation_is_due
        if judged and self._is_better(learner):
            trainer.save_checkpoint(self._folder.kept("best"))

    def _is_better(self, learner: Learner) -> bool:
        """Whether the team just evaluated is better than all before. Every rank is told."""
        better = False
        if learner.global_rank == 0:
            assert learner.latest is not None
            value = learner.latest.metrics()[str(self._rule.best)]
            before = self._best
            self._best = self._best_of([value] if before is None else [before, value])
            better = self._best != before
        told = torch.tensor(float(better), device=learner.device)
        return bool(learner.ranks.mean(told) > 0)

    def _best_of(self, values: Iterable[float]) -> float | None:
        best = max if self._rule.mode == "max" else min
        return best(values, default=None)


def _check_measured(metric: str, measured: Mapping[str, float]) -> None:
    if metric not in measured:
        names = ", ".join(sorted(measured))
        message = f"evaluations do not measure '{metric}'; they measure {names}"
        raise UserError(message, "training", "keep", "best")


def _evaluated(folder: RunFolder, metric: str) -> Iterable[float]:
    """A metric after each update that was evaluated, but for the untrained team's."""
    if not folder.metrics.exists():
        return []
    rows = metrics_rows(folder.metrics)
    return [
        float(row[metric]) for row in rows if metric in row and int(row["update"]) > 0
    ]
