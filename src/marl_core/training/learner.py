"""The LightningModule: one training step is one iteration, collect and learn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, final

import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from marl_core.abilities import LearnsItself
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import evaluate
from marl_core.evaluation.scores import Evaluation
from marl_core.learning import LearningContext, Ranks
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.run_state import RunState
from marl_core.runs.checkpoint_file import fitting, source_of
from marl_core.runs.own_heads import share_heads
from marl_core.training.compiled import CompiledLoss
from marl_core.training.descent import descend
from marl_core.training.diagnostics import PolicyBefore, step_metrics
from marl_core.training.finiteness import digest, explanation, not_finite
from marl_core.training.games import RankGames
from marl_core.training.log_line import is_listened_to, log_line, logged_by
from marl_core.training.optimizer import FlatOptimizer, flat_optimizer
from marl_core.training.pace import Pace
from marl_core.training.ranks import (
    ProcessRanks,
    check_ranks,
    everyone_s,
    told_once,
)
from marl_core.training.rollout_metrics import means_over_ranks, seen_in_training
from marl_core.training.same_start import check_same_start
from marl_core.training.saved_moments import load_moments
from marl_core.training.saved_run import add_run
from marl_core.training.stop_request import StopRequest
from marl_core.types import Loss, Progress, Rollout


@final
class Learner(LightningModule):
    """One stage of a run. Its checkpoints hold all that the run depends on, of every rank.

    Args:
        state: the run at the start of the stage or, with ``saved``, where the stage goes on; the
            host is prepared.
        saved: a checkpoint of this very stage.
    """

    def __init__(self, state: RunState, saved: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._start = state
        self.run = state.config
        self.progress: Progress = state.progress
        self.host: HostAlgorithm = state.host
        self.exploration: ExplorationStrategy = state.exploration
        coupling = state.exploration.coupling
        # As an attribute, its parameters are moved to the device and saved with the run.
        self.coupling = coupling if isinstance(coupling, nn.Module) else None
        self._saved = saved
        self._last_loss: Tensor | None = None
        self.context = LearningContext()
        self.latest: Evaluation | None = None
        self.pace = Pace()
        self.stop_request = StopRequest()
        self._games: RankGames | None = None

    @property
    def state(self) -> RunState:
        """The run as it is now."""
        return replace(self._start, progress=self.progress)

    @property
    def ranks(self) -> Ranks:
        """The processes that train together."""
        return self.context.ranks

    @property
    def stops(self) -> bool:
        """Whether the run stops here, because a process of it was asked to."""
        return self.stop_request.stops(self.ranks.count)

    @property
    def remaining_updates(self) -> int:
        """Updates left in the stage."""
        stage = self.run.stages[self.progress.stage]
        left = stage.episodes - self.progress.stage_episodes
        return left // self.run.training.episodes_per_update

    @property
    def environment(self) -> Environment:
        """The games of this rank; there are some from the start of the fit on."""
        return self._playing.environment

    @property
    def _playing(self) -> RankGames:
        assert self._games is not None, "the fit has not started"
        return self._games

    def configure_optimizers(self) -> list[FlatOptimizer]:
        """One for the host, and one more for a coupling that learns: anew in each stage.

        Where a stage goes on, they have the moments of its checkpoint.
        """
        groups = [self.host.parameter_groups()]
        if isinstance(self.exploration.coupling, LearnsItself):
            groups.append(self.exploration.coupling.parameter_groups())
        optimizers = [flat_optimizer(self.run.optimizer, own) for own in groups]
        if self._saved is not None:
            with fitting(source_of(self._saved)):
                load_moments(optimizers, self._saved["optimizer_states"])
        return optimizers

    def on_fit_start(self) -> None:
        """Set up this rank's games and generators, which need to know the rank and the device."""
        training = self.run.training
        if training.threads is not None:
            # Lightning sets its own number where it launches processes.
            torch.set_num_threads(training.threads)
        ranks = self.trainer.world_size
        check_ranks(ranks, training.processes, self._saved)
        if ranks > 1:
            self.context = replace(self.context, ranks=ProcessRanks(ranks))
            check_same_start(self.run, self.progress, self.global_rank, ranks)
        if training.compile:
            self.context = replace(self.context, evaluate=self._compiled())
        games = RankGames(self.state, self.global_rank, ranks, self.device)
        self._games = games
        if self._saved is not None:
            with fitting(source_of(self._saved)):
                own = self._saved["marl"]["ranks"][self.global_rank]
                games.load_state_dict(own, self.host, self.exploration)
            self._saved = None
        elif self.progress.updates == 0:
            self._log({**self._counts(), **self._evaluation_metrics()}, {})
        self.pace.mark(self.progress)

    def on_train_end(self) -> None:
        """Agree with the other ranks on whether to stop."""
        self.stop_request.agree_at_the_end(self.ranks.count)

    def close(self) -> None:
        """Give back what the environment holds. It may be called however the fit has ended."""
        if self._games is not None:
            self._games.close()

    def _compiled(self) -> CompiledLoss:
        if not isinstance(self.host, nn.Module):
            what = f"host '{self.run.host.name}' is no torch module"
            raise UserError(f"{what}, so it cannot be compiled", "training", "compile")
        return CompiledLoss(self.host, self._flat_optimizer(0))

    def _flat_optimizer(self, index: int) -> FlatOptimizer:
        optimizer = self.trainer.optimizers[index]
        assert isinstance(optimizer, FlatOptimizer)
        return optimizer

    def training_step(self, batch: Any, batch_index: int) -> None:
        """One iteration.

        Args:
            batch: unused; the learner makes its own data.
            batch_index: unused.
        """
        rollout = self._playing.collect(self.host, self.exploration, self.progress)
        before = self._policy_before(rollout)
        metrics: Mapping[str, Tensor | float] = {}
        for recalled in self._playing.recall(rollout):
            metrics = self.learn(recalled)
        coupling = self.exploration.coupling
        if isinstance(coupling, LearnsItself):
            metrics = {**metrics, **self._learn_coupling(coupling, rollout)}
        self._advance(rollout, metrics)
        due = self.run.training.logs_after(self.progress.updates)
        if due or self.evaluation_is_due:
            seen = self._rollout_metrics(rollout, metrics)
            diagnostics = self._diagnostics(before)
            line = {**self._counts(), **seen, **self._evaluation_metrics()}
            self._log(line, diagnostics)
        if self.stops:
            # The epoch ends here, and a checkpoint is written as at the end of any.
            self.trainer.should_stop = True

    def learn(self, rollout: Rollout) -> Mapping[str, Tensor | float]:
        """Take all optimisation steps that the host asks for.

        Args:
            rollout: what to learn from.

        Returns:
            What the host reports of the last step.
        """
        losses = self.host.losses(rollout, self.exploration.individual, self.context)
        return self._descend(losses, 0)

    def _learn_coupling(
        self, coupling: LearnsItself, rollout: Rollout
    ) -> Mapping[str, Tensor | float]:
        # Eagerly: what is compiled are losses of the host, with gradients by its parameters.
        context = LearningContext(self.ranks)
        return self._descend(coupling.losses(rollout, context), 1)

    def _descend(
        self, losses: Iterator[Loss], index: int
    ) -> Mapping[str, Tensor | float]:
        """A step by each loss; what the last one reports."""
        flat = self._flat_optimizer(index)
        flat.go_to(self.progress.episodes / self.run.episodes)
        found = self.optimizers()
        optimizer = found[index] if isinstance(found, list) else found
        assert isinstance(optimizer, LightningOptimizer)
        last = descend(losses, flat, optimizer.step, self.ranks)
        if last is None:
            return {}
        self._last_loss = last.total
        return last.metrics

    def _advance(self, rollout: Rollout, metrics: Mapping[str, Tensor | float]) -> None:
        """Count the update, and stop where anything in it is not a finite number.

        Ranks learn whether another was asked to stop: one that went on alone would hang.
        """
        episodes = self.run.training.episodes_per_update
        optimizers = [
            self._flat_optimizer(i) for i in range(len(self.trainer.optimizers))
        ]
        sums = digest(rollout, optimizers, self._last_loss)
        stop = sums.new_full((), float(self.stop_request.asked))
        counted = torch.stack([rollout.valid.sum().double(), stop, sums])
        steps, stops, total = self.ranks.mean(counted).tolist()
        if not math.isfinite(total):
            own = explanation(rollout, metrics, dict(self.named_parameters()))
            causes = everyone_s(own, self.global_rank, self.ranks.count)
            error = not_finite(self.progress.updates + 1, causes)
            raise told_once(error, self.global_rank)
        self.stop_request.agree(stops > 0)
        all_steps = round(steps * self.ranks.count)
        self.progress = replace(
            self.progress,
            episodes=self.progress.episodes + episodes,
            stage_episodes=self.progress.stage_episodes + episodes,
            environment_steps=self.progress.environment_steps + all_steps,
            updates=self.progress.updates + 1,
        )
        share_heads(self.state)
        self.pace.mark(self.progress)

    @property
    def evaluation_is_due(self) -> bool:
        """Whether the update just made is one to evaluate after."""
        due = self.progress.updates % self.run.training.evaluate_every == 0
        return due or self.remaining_updates == 0

    def _counts(self) -> dict[str, float]:
        return {"episodes": self.progress.episodes, "stage": self.progress.stage}

    def _rollout_metrics(
        self, rollout: Rollout, metrics: Mapping[str, Tensor | float]
    ) -> dict[str, float]:
        """What was seen in training, the mean over ranks."""
        local = seen_in_training(rollout, metrics, self.exploration.coupling)
        return means_over_ranks(local, self.ranks, self.device)

    def _evaluation_metrics(self) -> dict[str, float]:
        if not self.evaluation_is_due or self.global_rank != 0:
            return {}
        episodes = self.run.training.evaluation_episodes
        self.latest = evaluate(self.state, episodes, self.device)
        return self.latest.metrics()

    def _log(
        self, metrics: Mapping[str, float], diagnostics: Mapping[str, float]
    ) -> None:
        log_line(self.trainer.loggers, metrics, diagnostics, self.progress)

    def _policy_before(self, rollout: Rollout) -> PolicyBefore | None:
        """The policy before an update; None where nobody but ``metrics.csv`` listens."""
        listened = is_listened_to(self.trainer.loggers)
        last = self.remaining_updates == 1
        due = last or self.run.training.logs_after(self.progress.updates + 1)
        if not due or not listened or self.global_rank != 0:
            return None
        return PolicyBefore.of(rollout, self.host, self.exploration.individual)

    def _diagnostics(self, before: PolicyBefore | None) -> dict[str, float]:
        if before is None:
            return {}
        changed = before.compared(self.host, self.exploration.individual)
        return {
            **changed,
            **step_metrics(self._flat_optimizer(0)),
            **self.pace.metrics(),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know of: progress, generators and games, of every rank.

        Args:
            checkpoint: Lightning's; is changed.
        """
        own = self._playing.state_dict()
        everyone = everyone_s(own, self.global_rank, self.ranks.count)
        logged = logged_by(self.trainer.loggers)
        add_run(checkpoint, self.state, logged, everyone)
