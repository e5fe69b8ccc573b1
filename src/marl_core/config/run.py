"""The config of a whole run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from marl_core.config.named import (
    COMPONENT,
    KINDS,
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
    Named,
    StrictModel,
    mistake,
)

# Lightning's, but for half precision: that would need its losses scaled.
Precision = Literal["32-true", "64-true", "bf16-mixed", "bf16-true"]
AnyEnvironment = Annotated[EnvironmentConfig, Named("environment")]
AnyHost = Annotated[HostConfig, Named("host")]
AnyExploration = Annotated[ExplorationConfig, Named("exploration")]


class WrappingExplorationConfig(ExplorationConfig):
    """An exploration that couples the individual policies of another one."""

    individual: AnyExploration | None = Field(
        default=None,
        description="Whose individual policy is coupled; by default the run's own `exploration`.",
    )


class StageConfig(StrictModel):
    """One stage of training: a number of episodes under one exploration."""

    episodes: int = Field(
        gt=0, description="How many episodes the stage lasts, over all ranks."
    )
    exploration: AnyExploration | None = Field(
        default=None, description="By default the run's own `exploration`."
    )


class TrainingConfig(StrictModel):
    """How a run is driven; nothing here is part of the algorithm but ``episodes_per_update``."""

    episodes_per_update: int = Field(
        default=512,
        gt=0,
        description="Batch size in episodes, over all ranks (Table 3).",
    )
    parallel_games: int | None = Field(
        default=None,
        gt=0,
        description="Games played at once, over all ranks; one that ends is started anew until all episodes of an "
        "update have begun. By default all of them at once.",
    )
    use_table: bool = Field(
        default=True,
        description="Evaluate networks once for each distinct observation, if known.",
    )
    evaluate_every: int = Field(
        default=32, gt=0, description="Updates from one evaluation to the next."
    )
    evaluation_episodes: int = Field(
        default=192, gt=1, description="Test episodes of an evaluation (Table 3)."
    )
    log_every: int = Field(
        default=4, gt=0, description="Updates from one line of metrics to the next."
    )
    checkpoint_every: int = Field(
        default=32, gt=0, description="Updates from one checkpoint to the next."
    )
    accelerator: str = Field(
        default="cpu", description="Lightning's: cpu, gpu, auto ..."
    )
    devices: int = Field(
        default=1,
        gt=0,
        description="Processes, one a device; each plays its share of the episodes.",
    )
    strategy: str = Field(default="auto", description="Lightning's: auto, ddp ...")
    precision: Precision = Field(
        default="32-true", description="Lightning's numbers: of parameters, or mixed."
    )
    threads: int | None = Field(
        default=None,
        gt=0,
        description="CPU threads a process; by default torch's choice.",
    )
    compile: bool = Field(
        default=False,
        description="Compile losses with torch.compile: slow to start, then fast.",
    )
    tensorboard: bool = Field(
        default=True, description="Write TensorBoard logs beside metrics.csv."
    )
    record_policies: bool = Field(
        default=False,
        description="Keep every agent's policy in every distinct observation, at each evaluation.",
    )


class RunConfig(StrictModel):
    """All that a run depends on."""

    seed: int = Field(
        default=0,
        ge=0,
        description="All randomness comes from it; equal seeds give equal runs.",
    )
    environment: AnyEnvironment = Field(description="What is played.")
    host: AnyHost = Field(description="The algorithm that learns.")
    exploration: AnyExploration = Field(
        description="How the team explores where a stage does not say otherwise."
    )
    stages: tuple[StageConfig, ...] = Field(
        min_length=1, description="Trained one after the other, on one team."
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(), description="How the run is driven."
    )

    @model_validator(mode="after")
    def _whole_updates(self) -> Self:
        batch, devices = self.training.episodes_per_update, self.training.devices
        if batch % devices:
            message = f"{devices} devices cannot share training.episodes_per_update ({batch}) equally"
            raise mistake(message, "training", "devices")
        games = self.training.parallel_games
        if games is not None and games > batch:
            message = f"{games} is more than training.episodes_per_update ({batch})"
            raise mistake(message, "training", "parallel_games")
        if games is not None and games % devices:
            message = f"{devices} devices cannot share {games} games equally"
            raise mistake(message, "training", "parallel_games")
        for index, stage in enumerate(self.stages):
            if stage.episodes % batch:
                nearest = max(1, round(stage.episodes / batch)) * batch
                message = f"{stage.episodes} is no multiple of training.episodes_per_update ({batch}); {nearest} is"
                raise mistake(message, "stages", index, "episodes")
        return self

    def stage_exploration(self, index: int) -> ExplorationConfig:
        """The exploration of a stage, with what it leaves out filled in from the run's own."""
        exploration = self.stages[index].exploration or self.exploration
        if (
            isinstance(exploration, WrappingExplorationConfig)
            and exploration.individual is None
        ):
            return exploration.model_copy(update={"individual": self.exploration})
        return exploration

    @property
    def episodes(self) -> int:
        """Episodes of all stages together."""
        return sum(stage.episodes for stage in self.stages)


def run_schema() -> dict[str, Any]:
    """The JSON schema of run configs, over everything that is registered. Components by dotted name are not checked."""
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for kind in KINDS:
        definitions[kind] = _component_schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_references(schema),
    }


def _with_references(schema: Any) -> Any:
    """The schema with a reference at each place where a component may stand."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {
        key: _with_references(part) for key, part in schema.items() if key != COMPONENT
    }
    kind = schema.get(COMPONENT)
    return {**parts, "$ref": f"#/$defs/{kind}"} if kind in KINDS else parts


def _component_schema(kind: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    """Any component of a kind. The config of each is added to ``definitions`` under names that cannot clash."""
    from marl_core.registry import find, names

    members: list[dict[str, Any]] = []
    for name in names(kind):
        own = f"{kind}_{name}"
        member = find(kind, name).Config.model_json_schema(
            ref_template=f"#/$defs/{own}_{{model}}"
        )
        definitions.update(
            {
                f"{own}_{model}": inner
                for model, inner in member.pop("$defs", {}).items()
            }
        )
        member["properties"]["name"] = {
            "const": name,
            "description": member.get("description", ""),
        }
        definitions[own] = member
        members.append({"$ref": f"#/$defs/{own}"})
    dotted_name = {
        "type": "string",
        "pattern": ":",
        "description": "package.module:Class, checked when it is run.",
    }
    members.append(
        {"type": "object", "properties": {"name": dotted_name}, "required": ["name"]}
    )
    return {"oneOf": members}
