"""What a config can say about environments that step many games at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import final

from marl_core.types import EnvironmentSpec
from marl_envs.adapters.library_config import LibraryConfig


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


class BatchedConfig(LibraryConfig):
    """What the adapters of batched libraries have in common. Abstract base."""

    @abstractmethod
    def look(self) -> TeamShape:
        """Make the environment once to see what it gives.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """

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
            state_features=self.state_features(
                shape.agents, shape.features, shape.state
            ),
            individual_reward=self.reward == "own",
            action_masks=shape.masks,
            agents_die=self.may_die,
            wins=self.knows_wins,
        )


#: How long a game lasts where neither the config nor the library says it.
_STEPS = 100


@cache
def _shape_of(kind: type[BatchedConfig], described: str) -> TeamShape:
    return kind.model_validate_json(described).look()
