"""The LightningModule: one training step is one iteration, collect and learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, final

import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.collection.replay import Replay
from marl_core.config.run import RunConfig
from marl_core.evaluation.evaluate import Evaluation, evaluate
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm, Ranks
from marl_core.registry import build
from marl_core.rng import Generators, seed_for
from marl_core.training.compiled import CompiledLoss
from marl_core.training.optimizer import FlatAdam
from marl_core.training.ranks import SingleRank, StrategyRanks
from marl_core.types import Progress, Rollout


@final
class Learner(LightningModule):
    """One stage of a run. Its checkpoints hold all that the run depends on, of every rank.

    Args:
        config: the whole run's.
        host: the host algorithm, already prepared for this stage.
        exploration: the stage's strategy.
        progress: where the stage starts or, with ``saved``, goes on.
        saved: a checkpoint of this very stage.
    """

    def __init__(
        self,
        config: RunConfig,
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.run = config
        self.host, self.exploration, self.progress = host, exploration, progress
        self._saved = saved
        self.ranks: Ranks = SingleRank()
        self.latest_return: float | None = None
        self.stop_requested = False
        self._collector: Collector | None = None
        self._replay: Replay | None = None

    @property
    def remaining_updates(self) -> int:
        """Updates left in the stage."""
        left = (
            self.run.stages[self.progress.stage].episodes - self.progress.stage_episodes
        )
        return left // self.run.training.episodes_per_update

    def configure_optimizers(self) -> FlatAdam:
        """Adam: anew in each stage, with the moments of the checkpoint where a stage goes on."""
        optimizer = FlatAdam(self.host.parameter_groups())
        if self._saved is not None:
            optimizer.load_state_dict(self._saved["optimizer_states"][0])
        return optimizer

    def on_fit_start(self) -> None:
        """Set up this rank's games and generators, which need to know the rank and the device."""
        training = self.run.training
        if (
            training.threads is not None
        ):  # Lightning sets its own number where it launches processes
            torch.set_num_threads(training.threads)
        if self.trainer.world_size > 1:
            self.ranks = StrategyRanks(self.trainer.strategy, self.trainer.world_size)
        # A stage's own streams: with those of the run it would play the games of the stage before once more.
        seed = seed_for(self.run.seed, "stage", self.progress.stage)
        self._generators = Generators(seed, self.global_rank, self.device)
        self.environment: Environment = build(
            "environment",
            self.run.environment,
            games=(training.parallel_games or training.episodes_per_update)
            // self.trainer.world_size,
            device=self.device,
            generator=self._generators["environment"],
        )
        self._collector = Collector(
            self.environment,
            self._generators["exploration"],
            episodes=training.episodes_per_update // self.trainer.world_size,
            use_table=training.use_table,
        )
        settings = self.host.replay
        if settings is not None:
            self._replay = Replay(
                settings.capacity // self.trainer.world_size, self.environment.spec
            )
        if training.compile:
            self.host.evaluate_losses_by(CompiledLoss(self.host, self._flat_adam()))
        if self._saved is not None:
            own = self._saved["marl"]["ranks"][self.global_rank]
            self._generators.load_state_dict(own["generators"])
            self.environment.load_state_dict(own["environment"])
            if self._replay is not None:
                self._replay.load_state_dict(
                    own["replay"], self.device, self._collector.table(self.host)
                )
            self._saved = None
        elif self.progress.updates == 0:
            self._log({**self._counts(), **self._evaluation_metrics()})

    def _flat_adam(self) -> FlatAdam:
        (optimizer,) = self.trainer.optimizers
        assert isinstance(optimizer, FlatAdam)
        return optimizer

    def collect(self) -> Rollout:
        """This rank's share of the episodes of an update."""
        assert self._collector is not None
        return self._collector.collect(self.host, self.exploration, self.progress)

    def recall(self, rollout: Rollout) -> Rollout | None:
        """What to learn from once ``rollout`` has been played: itself or, off-policy, episodes out of the replay."""
        settings = self.host.replay
        if settings is None or self._replay is None:
            return rollout
        self._replay.add(rollout)
        return self._replay.sample(
            settings.batch // self.ranks.count,
            self._generators["replay"],
            rollout.progress,
        )

    def learn(self, rollout: Rollout) -> Mapping[str, Tensor | float]:
        """All optimisation steps that the host asks for; what it reports of the last."""
        optimizer, flat = self.optimizers(), self._flat_adam()
        assert isinstance(optimizer, LightningOptimizer)
        metrics: Mapping[str, Tensor | float] = {}
        for loss in self.host.losses(rollout, self.exploration, self.ranks):
            # Not by backward: it fills a gradient for each parameter, where one vector for each group is asked for.
            # So it is not DDP's hooks that average over ranks, but we.
            gradients = (
                flat.gradients_of(loss.total)
                if loss.gradients is None
                else loss.gradients
            )
            flat.set_gradients([self.ranks.mean(gradient) for gradient in gradients])
            optimizer.step()
            metrics = loss.metrics
        return metrics

    def training_step(self, batch: Any, batch_index: int) -> None:
        """One iteration."""
        rollout = self.collect()
        recalled = self.recall(rollout)
        metrics = {} if recalled is None else self.learn(recalled)
        self._advance(rollout)
        due = (
            self.progress.updates % self.run.training.log_every == 0
            or self.evaluation_is_due
        )
        if due:
            self._log(
                {
                    **self._counts(),
                    **self._rollout_metrics(rollout, metrics),
                    **self._evaluation_metrics(),
                }
            )
        if self.stop_requested:
            raise KeyboardInterrupt

    def _advance(self, rollout: Rollout) -> None:
        """Count the update. Ranks learn whether another was asked to stop: one that went on alone would hang."""
        episodes = self.run.training.episodes_per_update
        stop = torch.tensor(
            self.stop_requested, dtype=torch.float64, device=self.device
        )
        steps, stops = self.ranks.mean(
            torch.stack([rollout.valid.sum().double(), stop])
        ).tolist()
        self.stop_requested = stops > 0
        self.progress = replace(
            self.progress,
            episodes=self.progress.episodes + episodes,
            stage_episodes=self.progress.stage_episodes + episodes,
            environment_steps=self.progress.environment_steps
            + round(steps * self.ranks.count),
            updates=self.progress.updates + 1,
        )

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
        team_return = (rollout.team_reward * rollout.valid).sum(0).mean()
        weights = self.exploration.component_weights(rollout.progress)
        local = {"training_return": team_return, **metrics}
        names = sorted(local)
        values = torch.stack(
            [
                torch.as_tensor(local[name], dtype=torch.float64, device=self.device)
                for name in names
            ]
        )
        means = dict(zip(names, self.ranks.mean(values).tolist(), strict=True))
        # How likely the team is to share a component other than the first: eta, under policy resonance.
        return {**means, "coupling": float(weights[1:].sum())}

    def _evaluation_metrics(self) -> dict[str, float]:
        if not self.evaluation_is_due or self.global_rank != 0:
            return {}
        training = self.run.training
        result: Evaluation = evaluate(
            self.run,
            self.host,
            self.exploration,
            self.progress,
            training.evaluation_episodes,
            self.device,
        )
        exact = result.team_return.exact
        self.latest_return = result.team_return.greedy.mean if exact is None else exact
        return result.metrics()

    def _log(self, metrics: Mapping[str, float]) -> None:
        for logger in self.loggers:
            logger.log_metrics(dict(metrics), step=self.progress.updates)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know of: progress, generators and games, of every rank.

        Lightning's own counts are left out: they are of the current fit, and fits end where a run is interrupted.
        """
        own: dict[str, Any] = {
            "generators": self._generators.state_dict(),
            "environment": self.environment.state_dict(),
        }
        if self._replay is not None:
            own["replay"] = self._replay.state_dict()
        everyone: list[Any] = [own]
        if self.ranks.count > 1:
            everyone = [None] * self.ranks.count
            torch.distributed.all_gather_object(everyone, own)
        for count in ("epoch", "global_step", "loops", "callbacks", "lr_schedulers"):
            checkpoint.pop(count, None)
        checkpoint["marl"] = {
            "progress": asdict(self.progress),
            "ranks": everyone,
            "config": self.run.model_dump(mode="json"),
        }
