"""What a config can say about environments of other libraries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Annotated, Self, final

from pydantic import Field, model_validator

from marl_core.base_config import (
    LONGEST_NAME,
    MOST_PROCESSES,
    mistake,
)
from marl_core.types import Box, EnvironmentSpec
from marl_envs.adapters.library_config import LibraryConfig
from marl_envs.adapters.making import gymnasium_game, pettingzoo_game
from marl_envs.adapters.opponents_config import MOST_TEAMS, AgainstOthers
from marl_envs.adapters.requests import GameMaker
from marl_envs.adapters.rows import Layout

_Beginning = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


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
        return _layout_of(_Described(type(self), self.model_dump_json(), self))

    def spec(self) -> EnvironmentSpec:
        """What the environment gives.

        Raises:
            UserError: there is no such environment, or it cannot be learnt in.
        """
        layout = self.layout()
        teams = self.teams_of(layout.agents)
        return EnvironmentSpec(
            agents=len(layout.agents),
            actions=layout.actions,
            max_steps=layout.max_steps,
            features=layout.features,
            state_features=self.state_features(
                len(layout.agents), layout.features, layout.state or None
            ),
            individual_reward=self.reward == "own" or teams is not None,
            action_masks=layout.masks,
            agents_die=self.may_die,
            box=layout.box and Box(*layout.box),
            teams=teams,
        )

    def teams_of(self, agents: Sequence[str]) -> tuple[int, ...] | None:
        """The team of each agent who learns; None: they are one team.

        Args:
            agents: their names.
        """
        return None


class PettingZooConfig(AdapterConfig, AgainstOthers):
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
    teams: tuple[_Beginning, ...] = Field(
        default=(),
        max_length=MOST_TEAMS,
        description="In place of `team`, where several teams learn, each against the others: "
        "what the names of each team's agents begin with.",
    )
    agents_die: bool = Field(
        default=True,
        description="Whether agents may leave a game before its end, or come later.",
    )

    @property
    def may_die(self) -> bool:
        """As the setting says."""
        return self.agents_die

    @model_validator(mode="after")
    def _one_or_several_teams(self) -> Self:
        if self.team and self.teams:
            raise mistake("either 'team' or 'teams' says who learns", "teams")
        return self

    def spec(self) -> EnvironmentSpec:
        """What the environment gives.

        Raises:
            UserError: there is no such environment, it cannot be learnt in, or the run of frozen
                opponents does not fit them.
        """
        spec = super().spec()
        if self.frozen:
            # Late: it needs what loads runs.
            from marl_envs.adapters.frozen import check_fitting

            for (place, opponent), layout in zip(
                self.frozen, self.layout().frozen, strict=True
            ):
                check_fitting(opponent, layout, ("environment", "opponents", place))
        return spec

    def teams_of(self, agents: Sequence[str]) -> tuple[int, ...] | None:
        """The team of each agent who learns: the first that its name begins with.

        Args:
            agents: their names.
        """
        if not self.teams:
            return None
        found = []
        for name in agents:
            begins = [name.startswith(team) for team in self.teams]
            found.append(begins.index(True))
        return tuple(found)

    def maker(self) -> GameMaker:
        """What makes a game.

        Raises:
            UserError: the config names code that nobody has looked at.
        """
        for opponent in self.opponents:
            opponent.check_looked_at()
        return partial(
            pettingzoo_game,
            self.id,
            self.kwargs,
            self.teams or (self.team,),
            tuple((one.team, one.name) for one in self.opponents),
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


@final
@dataclass(frozen=True)
class _Described:
    """A config that is known by its kind and by what it says."""

    kind: type[AdapterConfig]
    text: str
    config: AdapterConfig = field(compare=False)


@cache
def _layout_of(described: _Described) -> Layout:
    game = described.config.maker()()
    try:
        return game.layout
    finally:
        game.close()
