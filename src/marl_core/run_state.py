"""A run at one time: its config, its host algorithm, how the team explores, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from marl_core.config.run import RunConfig
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.types import EnvironmentSpec, Progress


@final
@dataclass(frozen=True)
class RunState:
    """A run at one time.

    Attributes:
        config: the whole run's.
        spec: what its environment gives.
        host: the host algorithm, with what it has learnt until now.
        exploration: the strategy of the stage that ``progress`` is in.
        progress: how far the run is.
    """

    config: RunConfig
    spec: EnvironmentSpec
    host: HostAlgorithm
    exploration: ExplorationStrategy
    progress: Progress
