"""What a config can say about environments of other libraries."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache, partial

from pydantic import Field

from marl_core.base_config import (
    LONGEST_NAME,
    MOST_PROCESSES,
)
from marl_core.types import Box, EnvironmentSpec
from marl_envs.adapters.game import Behaviour
from marl_envs.adapters.library_config import LibraryConfig
from marl_envs.adapters.making import gymnasium_game, pettingzoo_game
from marl_envs.adapters.requests import GameMaker
from marl_envs.adapters.rows import Layout


class AdapterConfig(LibraryConfig):
    """What adapters of single games have in common. Abstract base."""

    rebuild: bool = Field(
        default=False,
        description="Whether every game is played in an environment made anew: for those whose "
        "reset leaves traces of the game before.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=MOST_PROCESSES,
        description="How many processes play; 0: the run's own. Results do not depend on it.",
    )

    @abstractmethod
    def maker(self) -> GameMaker:
        """What makes a game."""

    def layout(self) -> Layout:
        """The shapes of a game; one is built to look at it, once for each config.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """
        return _layout_of(type(self), self.model_dump_json())

    def spec(self) -> EnvironmentSpec:
        """What the environment gives.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """
        layout = self.layout()
        return EnvironmentSpec(
            agents=len(layout.agents),
            actions=layout.actions,
            max_steps=layout.max_steps,
            features=layout.features,
            state_features=self.state_features(
                len(layout.agents), layout.features, layout.state or None
            ),
            individual_reward=self.reward == "own",
            action_masks=layout.masks,
            agents_die=self.may_die,
            box=layout.box and Box(*layout.box),
        )


class PettingZooConfig(AdapterConfig):
    """Settings of an environment of PettingZoo."""

    name: str = "pettingzoo"
    id: str = Field(
        max_length=LONGEST_NAME,
        description="The module that has parallel_env, as 'mpe2:simple_spread_v3', or a "
        "registered name, as 'sisl/pursuit-v5'.",
    )
    team: str = Field(
        default="",
        max_length=LONGEST_NAME,
        description="What the names of the agents who learn begin with.",
    )
    others: Behaviour = Field(
        default="random",
        description="What the other agents do: any legal action, or the first one.",
    )
    agents_die: bool = Field(
        default=True,
        description="Whether agents may leave a game before its end, or come later.",
    )

    @property
    def may_die(self) -> bool:
        """As the setting says."""
        return self.agents_die

    def maker(self) -> GameMaker:
        """What makes a game."""
        return partial(
            pettingzoo_game,
            self.id,
            self.kwargs,
            self.team,
            self.others,
            self.max_steps,
            with_state=self.state == "own",
            rebuild=self.rebuild,
        )


class GymnasiumConfig(AdapterConfig):
    """Settings of a team's environment of Gymnasium."""

    name: str = "gymnasium"
    id: str = Field(
        max_length=LONGEST_NAME,
        description="As gymnasium.make takes it: 'lbforaging:Foraging-8x8-2p-1f-v3'.",
    )

    def maker(self) -> GameMaker:
        """What makes a game."""
        arguments = (self.id, self.kwargs, self.max_steps)
        return partial(gymnasium_game, *arguments, rebuild=self.rebuild)


@cache
def _layout_of(kind: type[AdapterConfig], described: str) -> Layout:
    game = kind.model_validate_json(described).maker()()
    try:
        return game.layout
    finally:
        game.close()
