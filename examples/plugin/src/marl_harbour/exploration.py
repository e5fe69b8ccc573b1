"""A whole strategy: an individual policy and a coupling that belong together."""

from __future__ import annotations

from pydantic import Field

from marl_core.base_config import ExplorationConfig
from marl_core.types import EnvironmentSpec
from marl_harbour.coupling import Mirrored
from marl_harbour.policy import MixedSoftmax


class HarbourWatchConfig(ExplorationConfig):
    """Settings of the strategy."""

    name: str = "harbour_watch"
    share: float = Field(default=0.1, gt=0, lt=1, description="Of all actions alike.")


class HarbourWatch:
    """Every tug tries everything now and then, and never all of them the same."""

    Config = HarbourWatchConfig

    def __init__(self, config: HarbourWatchConfig, spec: EnvironmentSpec) -> None:
        self.individual = MixedSoftmax(share=config.share)
        self.coupling = Mirrored(bins=2)
