"""Schedules over environment steps."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from marl_core.base_config import LARGEST, MOST_IN_ALL, PolicyConfig, mistake
from marl_core.types import Progress


class AnnealedConfig(PolicyConfig):
    """A quantity that falls linearly over the run's environment steps, then stays."""

    start: float = Field(ge=0, le=LARGEST, description="At the beginning of the run.")
    end: float = Field(
        ge=0, le=LARGEST, description="After `anneal_steps` and from there on."
    )
    anneal_steps: int = Field(
        default=200_000,
        ge=0,
        le=MOST_IN_ALL,
        description="Environment steps, over all games and stages, from start to end (Table 3).",
    )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.end > self.start:
            raise mistake(f"end ({self.end:g}) is above start ({self.start:g})", "end")
        return self

    def at(self, progress: Progress) -> float:
        """The quantity at a time of the run.

        Args:
            progress: how far the run is.
        """
        if progress.environment_steps >= self.anneal_steps:
            return self.end
        return (
            self.start
            + (self.end - self.start) * progress.environment_steps / self.anneal_steps
        )
