"""What a config can say about environments that step many games at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, final

from pydantic import Field

from marl_core.base_config import LONGEST_NAME, MOST_AT_ONCE, EnvironmentConfig
from marl_core.errors import UserError
from marl_core.types import EnvironmentSpec


@final
@dataclass(frozen=True)
class TeamShape:
    """What a library says about a team.

    Attributes:
        agents: N.
        actions: A, the most that any agent has.
        features: O, the most that any agent sees.
        masks: whether some actions may be illegal.
        state: S of the library's own global state; None: it has none.
        max_steps: the library's own limit to a game; None: it has none.
    """

    agents: int
    actions: int
    features: int
    masks: bool
    state: int | None = None
    max_steps: int | None = None


class BatchedConfig(EnvironmentConfig):
    """What the adapters of batched libraries have in common. Abstract base."""

    id: str = Field(max_length=LONGEST_NAME, description="Which environment.")
    kwargs: dict[str, Any] = Field(
        default_factory=dict, description="What its maker is called with."
    )
    reward: Literal["own", "team"] = Field(
        default="own",
        description="Whether agents learn from their own rewards or from the team's, their mean.",
    )
    max_steps: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="After how many steps a game is cut; by default as the environment says.",
    )
    state: Literal["none", "joined", "own"] = Field(
        default="none",
        description="The global state that hosts get: none, all agents' observations one after "
        "another, or the library's own.",
    )

    @abstractmethod
    def look(self) -> TeamShape:
        """Make the environment once to see what it gives.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """

    @property
    def may_die(self) -> bool:
        """Whether agents may die before their game ends."""
        return False

    @property
    def knows_wins(self) -> bool:
        """Whether it is known which games were won."""
        return False

    def shape(self) -> TeamShape:
        """What the library says about the team; it is asked once for each config.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """
        return _shape_of(type(self), self.model_dump_json())

    def limit(self) -> int:
        """After how many steps a game is cut."""
        limits = [self.max_steps, self.shape().max_steps]
        return min([one for one in limits if one is not None], default=_STEPS)

    def spec(self) -> EnvironmentSpec:
        """What the environment gives.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """
        shape = self.shape()
        return EnvironmentSpec(
            agents=shape.agents,
            actions=shape.actions,
            max_steps=self.limit(),
            features=shape.features,
            state_features=self._state_features(shape),
            individual_reward=self.reward == "own",
            action_masks=shape.masks,
            agents_die=self.may_die,
            wins=self.knows_wins,
        )

    def _state_features(self, shape: TeamShape) -> int | None:
        if self.state == "none":
            return None
        if self.state == "joined":
            return shape.agents * shape.features
        if shape.state is None:
            raise UserError(f"'{self.id}' has no global state of its own: say joined")
        return shape.state


#: How long a game lasts where neither the config nor the library says it.
_STEPS = 100


@cache
def _shape_of(kind: type[BatchedConfig], described: str) -> TeamShape:
    return kind.model_validate_json(described).look()
