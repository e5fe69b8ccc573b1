"""What a config can say about FME."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from marl_core.base_config import (
    LONGEST_NAME,
    MOST_AT_ONCE,
    EnvironmentConfig,
    StrictModel,
    mistake,
)
from marl_core.types import EnvironmentSpec, Level
from marl_envs.fme.tags import MOST_LEVELS, Kind, levels_of_tag

#: More actions than that are a slip.
MOST_ACTIONS = 10_000
Action = Annotated[int, Field(ge=0, lt=MOST_ACTIONS)]
Probability = Annotated[float, Field(ge=0, le=1)]


class FixedActionLevel(StrictModel):
    """Lv-A: reward N(action)/N."""

    kind: Literal["A"]
    action: Action


class BanditLevel(StrictModel):
    """Lv-B: an arm is drawn after the team has chosen.

    The reward is c N(arm)/N, with c = 1 / (largest probability).
    """

    kind: Literal["B"]
    arms: tuple[Action, ...] = Field(min_length=1, max_length=MOST_ACTIONS)
    probabilities: tuple[Probability, ...] = Field(
        default=(0.5, 0.4, 0.1), max_length=MOST_ACTIONS
    )

    @model_validator(mode="after")
    def _is_distribution(self) -> Self:
        needed = len(self.probabilities)
        different = len(set(self.arms))
        if len(self.arms) != needed or different != needed:
            raise ValueError(
                f"{needed} different arms are needed, one for each probability"
            )
        total = sum(self.probabilities)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the probabilities sum to {total:g}, not 1")
        return self


class ResponsibilityLevel(StrictModel):
    """Lv-C: reward N(action)/(N-1), but 0 if all N agents take the action (Eq. 2)."""

    kind: Literal["C"]
    action: Action


LevelConfig = Annotated[
    FixedActionLevel | BanditLevel | ResponsibilityLevel, Field(discriminator="kind")
]


class FMEConfig(EnvironmentConfig):
    """Settings of FME. The levels come from ``tag``, or are written out in ``levels``."""

    name: str = "fme"
    agents: int = Field(gt=0, le=MOST_AT_ONCE, description="N, the size of the team.")
    actions: int = Field(
        default=10, gt=1, le=MOST_ACTIONS, description="n_k, the number of actions."
    )
    tag: str | None = Field(
        default=None,
        max_length=LONGEST_NAME,
        description="As 1A4B2C: how many levels of each kind (Table 2).",
    )
    levels: tuple[LevelConfig, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_LEVELS,
        description="The levels one by one.",
    )
    level_index: Literal["scalar", "one_hot"] = Field(
        default="scalar",
        description="How agents see the level: as one number of mean 0 and variance 1, or one-hot.",
    )

    @model_validator(mode="after")
    def _levels_fit(self) -> Self:
        if (self.tag is None) == (self.levels is None):
            raise ValueError("give either 'tag' or 'levels'")
        try:
            levels = self.resolved_levels()
        except ValueError as error:
            raise mistake(str(error), "tag") from None
        for index, level in enumerate(levels):
            self._check(level, index)
        return self

    def _check(
        self,
        level: LevelConfig,
        index: int,
    ) -> None:
        """Whether a level fits the numbers of agents and actions."""
        if level.kind == "C" and self.agents < 2:
            raise mistake(
                f"a Lv-C level needs at least 2 agents, found {self.agents}",
                "agents",
            )
        if level.kind == "B":
            where = "arms"
            last = max(level.arms)
        else:
            where = "action"
            last = level.action
        if last >= self.actions:
            message = (
                f"action {last} is beyond the last one: "
                f"there are {self.actions}, from 0"
            )
            raise mistake(message, "levels", index, where)

    def resolved_levels(self) -> tuple[LevelConfig, ...]:
        """The levels in order, from the tag where one is given."""
        if self.levels is not None:
            return self.levels
        assert self.tag is not None
        levels = levels_of_tag(self.tag, self.actions)
        return tuple(_level(kind, actions) for kind, actions in levels)

    def spec(self) -> EnvironmentSpec:
        """What FME gives."""
        levels = self.resolved_levels()
        count = len(levels)
        index_features = count if self.level_index == "one_hot" else 1
        return EnvironmentSpec(
            agents=self.agents,
            actions=self.actions,
            max_steps=count,
            features=index_features + self.agents,
            state_features=count,
            table_rows=count,
            fixed_length=True,
            levels=_named(levels),
        )


def _level(
    kind: Kind,
    actions: tuple[int, ...],
) -> LevelConfig:
    """A level that a tag stands for."""
    match kind:
        case "A":
            return FixedActionLevel(kind="A", action=actions[0])
        case "B":
            return BanditLevel(kind="B", arms=actions)
        case "C":
            return ResponsibilityLevel(kind="C", action=actions[0])


def _named(levels: Sequence[LevelConfig]) -> tuple[Level, ...]:
    """The levels by name: A1 is the first of kind A."""
    seen: Counter[str] = Counter()
    named = []
    for level in levels:
        seen[level.kind] += 1
        named.append(Level(f"{level.kind}{seen[level.kind]}", level.kind))
    return tuple(named)
