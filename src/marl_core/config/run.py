"""The config of a whole run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from marl_core.base_config import (
    LARGEST_SEED,
    LONGEST_NAME,
    MOST_AT_ONCE,
    MOST_IN_ALL,
    MOST_PROCESSES,
    MOST_TEST_EPISODES,
    ExplorationConfig,
    StrictModel,
    mistake,
)
from marl_core.config.named import (
    AnyEnvironment,
    AnyExploration,
    AnyHost,
    CouplingConfig,
)
from marl_core.config.optimizer import AdamConfig, AnyOptimizer, SGDConfig
from marl_core.config.plugins import CallbackConfig, LoggerConfig
from marl_core.errors import UserError

#: Stages of a run, and loggers or callbacks of one.
MOST_STAGES = 1000
MOST_WATCHERS = 100
# Lightning's, but for half precision: that would need its losses scaled.
Precision = Literal["32-true", "64-true", "bf16-mixed", "bf16-true"]


class StageConfig(StrictModel):
    """One stage of training: a number of episodes under one exploration."""

    episodes: int = Field(
        gt=0,
        le=MOST_IN_ALL,
        description="How many episodes the stage lasts, over all ranks.",
    )
    exploration: AnyExploration | None = Field(
        default=None, description="By default the run's own `exploration`."
    )


class KeepConfig(StrictModel):
    """Which checkpoints are kept besides the newest. They stay until somebody deletes them."""

    every: int | None = Field(
        default=None,
        gt=0,
        le=MOST_IN_ALL,
        description="Updates from one kept checkpoint, `update-UPDATE`, to the next.",
    )
    best: str | None = Field(
        default=None,
        max_length=LONGEST_NAME,
        description="The metric by which evaluations tell which one is kept as `best`, as "
        "`greedy/return` or `greedy/win_rate`.",
    )
    mode: Literal["max", "min"] = Field(
        default="max", description="Whether more of the metric is better, or less."
    )


class TrainingConfig(StrictModel):
    """How a run is driven; nothing here is part of the algorithm but ``episodes_per_update``."""

    episodes_per_update: int = Field(
        default=512,
        gt=0,
        le=MOST_AT_ONCE,
        description="Batch size in episodes, over all ranks (Table 3).",
    )
    parallel_games: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="Games played at once, over all ranks; one that ends is started anew until "
        "all episodes of an update have begun. By default all of them at once.",
    )
    rollout_steps: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="How many steps of each game an update learns from, in place of whole "
        "episodes. Games go on in the next update, and one that ends is started anew. Whatever "
        "counts episodes then counts these pieces: `episodes_per_update` is the number of games.",
    )
    use_table: bool = Field(
        default=True,
        description="Evaluate networks once for each distinct observation, if known.",
    )
    evaluate_every: int = Field(
        default=32,
        gt=0,
        le=MOST_IN_ALL,
        description="Updates from one evaluation to the next.",
    )
    evaluation_episodes: int = Field(
        default=192,
        gt=1,
        le=MOST_TEST_EPISODES,
        description="Test episodes of an evaluation (Table 3).",
    )
    log_every: int = Field(
        default=4,
        gt=0,
        le=MOST_IN_ALL,
        description="Updates from one line of metrics to the next.",
    )
    checkpoint_every: int = Field(
        default=32,
        gt=0,
        le=MOST_IN_ALL,
        description="Updates from one checkpoint to the next.",
    )
    keep: KeepConfig = Field(
        default=KeepConfig(),
        description="Which checkpoints are kept besides the newest and the one before it.",
    )
    accelerator: str = Field(
        default="cpu",
        max_length=LONGEST_NAME,
        description="Lightning's: cpu, gpu, auto ... `auto` takes a GPU where there is one.",
    )
    devices: int = Field(
        default=1,
        gt=0,
        le=MOST_PROCESSES,
        description="Processes on each machine, one a device; each plays its share of the "
        "episodes.",
    )
    num_nodes: int = Field(
        default=1,
        gt=0,
        le=MOST_PROCESSES,
        description="Machines that train together, with `devices` processes each.",
    )
    strategy: str = Field(
        default="auto",
        max_length=LONGEST_NAME,
        description="Lightning's: auto, ddp ...",
    )
    precision: Precision = Field(
        default="32-true", description="Lightning's numbers: of parameters, or mixed."
    )
    threads: int | None = Field(
        default=None,
        gt=0,
        le=MOST_PROCESSES,
        description="CPU threads a process; by default torch's choice.",
    )
    compile: bool = Field(
        default=False,
        description="Compile losses with torch.compile: slow to start, then fast.",
    )
    tensorboard: bool = Field(
        default=True,
        description="Write TensorBoard logs, as if `loggers` named `tensorboard`.",
    )
    record_policies: bool = Field(
        default=False,
        description="Keep every agent's policy in every distinct observation, "
        "at each evaluation.",
    )

    @property
    def processes(self) -> int:
        """Processes on all machines."""
        return self.devices * self.num_nodes

    def logs_after(self, update: int) -> bool:
        """Whether a line of metrics is due after an update, besides the one at a stage's end.

        Args:
            update: its number, from 1.
        """
        return update % self.log_every == 0 or update % self.evaluate_every == 0


class RunConfig(StrictModel):
    """All that a run depends on."""

    seed: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        description="All randomness comes from it; equal seeds give equal runs.",
    )
    environment: AnyEnvironment = Field(description="What is played.")
    host: AnyHost = Field(description="The algorithm that learns.")
    exploration: AnyExploration = Field(
        description="How the team explores where a stage does not say otherwise."
    )
    stages: tuple[StageConfig, ...] = Field(
        min_length=1,
        max_length=MOST_STAGES,
        description="Trained one after the other, on one team.",
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(), description="How the run is driven."
    )
    optimizer: AnyOptimizer = Field(
        default=AdamConfig(),
        description="By which optimiser host and coupling descend: `adam`, `adamw`, `rmsprop` or "
        "`sgd`, with its own settings. Learning rates are the host's.",
    )
    loggers: tuple[LoggerConfig, ...] = Field(
        default=(),
        max_length=MOST_WATCHERS,
        description="Who gets the metrics besides `metrics.csv`, which is always there: "
        "`tensorboard`, `wandb`, `mlflow`, or any logger of Lightning's as `module:Class`, each "
        "with its own keywords.",
    )
    callbacks: tuple[CallbackConfig, ...] = Field(
        default=(),
        max_length=MOST_WATCHERS,
        description="Callbacks of Lightning's that watch the run, as `module:Class`, each with "
        "its own keywords.",
    )

    @model_validator(mode="after")
    def _whole_updates(self) -> Self:
        batch = self.training.episodes_per_update
        devices = self.training.processes
        setting = f"training.episodes_per_update ({batch})"
        if batch % devices:
            message = f"{devices} devices cannot share {setting} equally"
            raise mistake(message, "training", "devices")
        self._check_games(setting)
        for index, stage in enumerate(self.stages):
            if stage.episodes % batch:
                nearest = max(1, round(stage.episodes / batch)) * batch
                message = f"{stage.episodes} is no multiple of {setting}; {nearest} is"
                raise mistake(message, "stages", index, "episodes")
        return self

    @model_validator(mode="after")
    def _momentum(self) -> Self:
        chosen = self.optimizer
        if isinstance(chosen, SGDConfig) and chosen.nesterov and not chosen.momentum:
            message = "nesterov looks ahead by the momentum, which is 0"
            raise mistake(message, "optimizer", "nesterov")
        return self

    def _check_games(self, setting: str) -> None:
        games = self.training.parallel_games
        devices = self.training.processes
        if games is None:
            return
        if self.training.rollout_steps is not None:
            message = f"with rollout_steps, all games of {setting} are played at once"
            raise mistake(message, "training", "parallel_games")
        if games > self.training.episodes_per_update:
            message = f"{games} is more than {setting}"
            raise mistake(message, "training", "parallel_games")
        if games % devices:
            message = f"{devices} devices cannot share {games} games equally"
            raise mistake(message, "training", "parallel_games")

    def stage_exploration(self, index: int) -> ExplorationConfig:
        """The exploration of a stage, with what it leaves out filled in from the run's own.

        Args:
            index: of the stage, from 0.

        Raises:
            UserError: a coupling does not say what it couples, and the run's exploration has no
                individual policy.
        """
        own = self.stages[index].exploration
        exploration = self.exploration if own is None else own
        if not isinstance(exploration, CouplingConfig) or exploration.individual:
            return exploration
        individual: ExplorationConfig | None = self.exploration
        if isinstance(individual, CouplingConfig):
            individual = individual.individual
        if individual is None:
            needs = "needs an 'individual' policy to couple"
            where = () if own is None else ("stages", index)
            message = f"coupling '{exploration.name}' {needs}"
            raise UserError(message, *where, "exploration")
        return exploration.model_copy(update={"individual": individual})

    @property
    def episodes(self) -> int:
        """Episodes of all stages together."""
        return sum(stage.episodes for stage in self.stages)
