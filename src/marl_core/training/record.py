"""Keeping the team's policies over training."""

from __future__ import annotations

from typing import final

import torch
from lightning import Trainer

from marl_core.observation_table import table_of
from marl_core.runs.folder import RunFolder
from marl_core.training.after_updates import AfterUpdates
from marl_core.training.learner import Learner


@final
class RecordPolicies(AfterUpdates):
    """``training.record_policies``: keeps the policies at each evaluation.

    A resumed run writes the same files again. There is something to write only where agents can
    see few distinct observations and the host needs no memory.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def begin(self, trainer: Trainer, learner: Learner) -> None:
        """Keep the policies before any training.

        Args:
            trainer: Lightning's.
            learner: of the stage.
        """
        if learner.progress.updates == 0:
            self._write(learner)

    def updated(self, trainer: Trainer, learner: Learner) -> None:
        """Keep the policies that have just been evaluated.

        Args:
            trainer: Lightning's.
            learner: of the stage.
        """
        if learner.evaluation_is_due:
            self._write(learner)

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
