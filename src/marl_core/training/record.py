"""Keeping the team's policies over training."""

from __future__ import annotations

from typing import Any, final

import torch
from lightning import Callback, LightningModule, Trainer

from marl_core.observation_table import table_of
from marl_core.runs.folder import RunFolder
from marl_core.training.learner import Learner


@final
class RecordPolicies(Callback):
    """``training.record_policies``: keeps the policies at each evaluation.

    A resumed run writes the same files again. There is something to write only where agents can
    see few distinct observations and the host needs no memory.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the policies before any training.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
        """
        assert isinstance(pl_module, Learner)
        if pl_module.progress.updates == 0:
            self._write(pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the policies that have just been evaluated.

        Args:
            trainer: Lightning's.
            pl_module: the learner.
            outputs: unused.
            batch: unused.
            batch_idx: unused.
        """
        assert isinstance(pl_module, Learner)
        if pl_module.evaluation_is_due:
            self._write(pl_module)

    @torch.no_grad()
    def _write(self, learner: Learner) -> None:
        table = table_of(learner.environment)
        remembers = learner.host.capabilities.memory
        boxes = learner.environment.spec.box is not None
        if table is None or remembers or boxes or learner.global_rank != 0:
            return
        scores, _ = learner.host.scores(table, {})
        policy = learner.exploration.individual
        logarithm = policy.log_policy(scores, table.legal_actions(), learner.progress)
        found = logarithm.exp().float().cpu().numpy()
        self._folder.write_policies(learner.progress.episodes, found)
