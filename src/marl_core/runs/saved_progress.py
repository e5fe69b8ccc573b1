"""Whether the counts in a checkpoint can be those of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marl_core.config.run import RunConfig
from marl_core.types import EnvironmentSpec, Progress


def saved_progress(
    config: RunConfig, spec: EnvironmentSpec, saved: Mapping[str, Any]
) -> Progress:
    """How far a run is, as its checkpoint says.

    Args:
        config: the run's.
        spec: what its environment gives.
        saved: the counts.

    Raises:
        ValueError: no run by this config is ever there. The message says which count is wrong.
    """
    for name, count in saved.items():
        if type(count) is not int or count < 0:
            raise ValueError(f"progress.{name} is {count!r}, which is no count")
    progress = Progress(**saved)
    stages = config.stages
    if progress.stage >= len(stages):
        raise ValueError(f"it is in stage {progress.stage} of {len(stages)}")
    longest = stages[progress.stage].episodes
    batch = config.training.episodes_per_update
    within = progress.stage_episodes
    if within > longest or within % batch:
        raise ValueError(f"no stage of {longest} episodes is ever at {within}")
    before = sum(stage.episodes for stage in stages[: progress.stage])
    _check("episodes", progress.episodes, before + within)
    _check("updates", progress.updates, progress.episodes // batch)
    steps = progress.environment_steps
    most = progress.episodes * spec.max_steps
    if not progress.episodes <= steps <= most:
        raise ValueError(
            f"{progress.episodes} episodes cannot have {steps} environment steps"
        )
    return progress


def _check(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"progress.{name} is {found}, and should be {expected}")
