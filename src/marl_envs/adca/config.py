"""What a config can say about ADCA."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from marl_core.base_config import LARGEST, MOST_AT_ONCE, EnvironmentConfig, mistake
from marl_core.types import EnvironmentSpec
from marl_envs.adca.shapes import ACTIONS, ENTITIES, FEATURES

#: An observation shows a fighter's index in 8 bits.
MOST_FIGHTERS = 256


class ADCAConfig(EnvironmentConfig):
    """Settings of ADCA. The defaults are those of the authors' task of 50 against 60."""

    name: str = "adca"
    agents: int = Field(
        default=50,
        gt=0,
        le=MOST_FIGHTERS,
        description="N, the guards: the team that learns.",
    )
    attackers: int = Field(
        default=60, gt=0, le=MOST_FIGHTERS, description="H, the scripted team."
    )
    max_steps: int = Field(
        default=190,
        gt=0,
        le=MOST_AT_ONCE,
        description="The clock: after this number of steps the battle is decided by numbers.",
    )
    terrain: bool = Field(
        default=True, description="Whether the ground changes how far weapons reach."
    )
    jam_probability: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="The probability with which a guard misses another fighter that it could see.",
    )
    shuffle_neighbours: bool = Field(
        default=True,
        description="Whether a guard sees its neighbours in random order, in place of by distance.",
    )
    half_death_reward: bool = Field(
        default=True, description="Whether dying costs 0.5, in place of 1."
    )
    win_bonus: float = Field(
        default=3.0,
        ge=-LARGEST,
        le=LARGEST,
        description="The reward of every guard when the team wins.",
    )
    kernels: Literal["torch", "warp"] = Field(
        default="torch",
        description="What computes the script's orders: torch, or fused kernels of NVIDIA Warp.",
    )

    @model_validator(mode="after")
    def _indices_fit(self) -> Self:
        if self.agents + self.attackers > MOST_FIGHTERS:
            found = f"{self.agents} agents and {self.attackers} attackers"
            raise mistake(
                f"indices have 8 bits: at most {MOST_FIGHTERS} fighters, found {found}",
                "attackers",
            )
        return self

    def spec(self) -> EnvironmentSpec:
        """What ADCA gives."""
        return EnvironmentSpec(
            agents=self.agents,
            actions=ACTIONS,
            max_steps=self.max_steps,
            entities=(ENTITIES, FEATURES),
            individual_reward=True,
            agents_die=True,
            wins=True,
        )
