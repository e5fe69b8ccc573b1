"""Environments that each break one promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from marl_core.joint_policy import JointPolicy
from marl_core.observation_table import table_of
from marl_core.protocols import Environment
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.fme import FME, FMEConfig


class Wrapped:
    """The practice environment, which keeps every promise; each mutant changes one thing."""

    Config = PracticeConfig

    def __init__(
        self,
        config: Any = None,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.generator = generator
        self.inner: Any = self.build(games, device, generator)

    @staticmethod
    def build(
        games: int, device: torch.device | str, generator: torch.Generator
    ) -> Environment:
        return Practice(
            PracticeConfig(), games=games, device=device, generator=generator
        )

    @property
    def spec(self) -> EnvironmentSpec:
        return self.inner.spec

    @property
    def distinct_observations(self) -> Observation | None:
        return table_of(self.inner)

    def reset(self, games: Tensor | None = None) -> Observation:
        return self.inner.reset(games)

    def step(self, actions: Tensor) -> StepResult:
        return self.inner.step(actions)

    def state_dict(self) -> dict[str, Tensor]:
        return self.inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.inner.load_state_dict(state)


class HasNoReset(Wrapped):
    reset: Any = None


class WritesIntoRewards(Wrapped):
    """Gives the same tensor at every step, and writes the next rewards into it."""

    buffer: Tensor | None = None

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        if self.buffer is None:
            self.buffer = result.team_reward.clone()
        self.buffer.copy_(result.team_reward)
        return replace(result, team_reward=self.buffer)


class ResetsEverything(Wrapped):
    def reset(self, games: Tensor | None = None) -> Observation:
        return self.inner.reset()


class NeverResets(Wrapped):
    def reset(self, games: Tensor | None = None) -> Observation:
        return self.inner.reset(
            torch.zeros_like(self.inner.state_dict()["step"], dtype=torch.bool)
        )


class DropsState(Wrapped):
    """Who is ill is not saved: the loaded game lets them act."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        own = self.inner.state_dict()["ill"]
        self.inner.load_state_dict({**state, "ill": own})


class NaNForTheDead(Wrapped):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        seen = result.observation
        assert seen.features is not None
        assert seen.alive is not None
        features = seen.features.masked_fill(~seen.alive.unsqueeze(-1), torch.nan)
        return replace(result, observation=replace(seen, features=features))


class RevivesTheDead(Wrapped):
    """Every second step the dead have recovered."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        state = self.inner.state_dict()
        recovered = (state["step"] % 2 == 0).unsqueeze(-1) & (state["health"] == 0)
        self.inner.load_state_dict(
            {**state, "health": torch.where(recovered, 2, state["health"])}
        )
        nobody = torch.zeros_like(state["step"], dtype=torch.bool)
        return replace(result, observation=self.inner.reset(nobody))


class EndsTooLate(Wrapped):
    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, max_steps=self.inner.spec.max_steps - 1)


class NotOfFixedLength(Wrapped):
    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, fixed_length=True)


class EndsTwice(Wrapped):
    """A terminated game is reported as truncated too."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, truncated=result.truncated | result.terminated)


class GlobalRandomness(Wrapped):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(
            result,
            team_reward=result.team_reward + 0.1 * torch.randn_like(result.team_reward),
        )


class SharedRewards(Wrapped):
    """Rewards are centred over the batch."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(
            result, team_reward=result.team_reward - result.team_reward.mean()
        )


class WrongFeatures(Wrapped):
    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, features=99)


class UnpromisedWins(Wrapped):
    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, wins=False)


class WinsTooEarly(Wrapped):
    """A game is won that goes on."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, won=torch.ones_like(result.terminated))


class UnpromisedRewards(Wrapped):
    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, individual_reward=False)


class IntegerRewards(Wrapped):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        object.__setattr__(
            result, "team_reward", result.team_reward.long()
        )  # past the types that these tests check
        return result


class ChangesItsSpec(Wrapped):
    steps = 0

    @property
    def spec(self) -> EnvironmentSpec:
        return replace(
            self.inner.spec, max_steps=self.inner.spec.max_steps + self.steps
        )

    def step(self, actions: Tensor) -> StepResult:
        self.steps += 1
        return self.inner.step(actions)


class UnseededReset(Wrapped):
    """A generator of its own, started by how often games were made."""

    made = 0

    @classmethod
    def build(
        cls, games: int, device: torch.device | str, generator: torch.Generator
    ) -> Environment:
        UnseededReset.made += 1
        own = torch.Generator(device).manual_seed(UnseededReset.made)
        return Practice(PracticeConfig(), games=games, device=device, generator=own)


class WrappedFME(Wrapped):
    """FME; each mutant changes one thing."""

    @staticmethod
    def build(
        games: int, device: torch.device | str, generator: torch.Generator
    ) -> Environment:
        config = FMEConfig(name="fme", agents=3, tag="1A1B1C")
        return FME(config, games=games, device=device, generator=generator)

    def expected_rewards(self, joint: JointPolicy) -> Tensor:
        assert isinstance(self.inner, FME)
        return self.inner.expected_rewards(joint)


class ForgetsTheCoin(WrappedFME):
    """The expected reward as if agents were independent: wrong at Lv-C under resonance."""

    def expected_rewards(self, joint: JointPolicy) -> Tensor:
        return super().expected_rewards(JointPolicy.independent(joint.marginal()))


class RowsOutOfTheTable(WrappedFME):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        row = result.observation.row
        assert row is not None
        return replace(result, observation=replace(result.observation, row=row + 1))


class ForgetsTheTable(WrappedFME):
    @property
    def distinct_observations(self) -> Observation | None:
        return None


class ShortTable(WrappedFME):
    @property
    def distinct_observations(self) -> Observation | None:
        table = self.inner.distinct_observations
        assert table is not None
        return table.map(lambda rows: rows[:-1])


class OneAgentElsewhere(WrappedFME):
    """Nobody can say which of the two rows the game's state belongs to."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        assert result.observation.row is not None
        row = result.observation.row.clone()
        row[:, -1] = 0
        return replace(result, observation=replace(result.observation, row=row))


class RowsBeyondTheLast(Wrapped):
    """Its entities are rows of the game, but the last index is one too large."""

    def by_rows(self, seen: Observation) -> Observation:
        assert seen.entities is not None
        rows = seen.entities.flatten(-3, -2)
        index = torch.arange(rows.shape[-2]).view(seen.entities.shape[-3:-1])
        return replace(
            seen,
            entities=None,
            entity_rows=rows,
            entity_index=(index + 1).expand(seen.entities.shape[:-1]),
        )

    def reset(self, games: Tensor | None = None) -> Observation:
        return self.by_rows(self.inner.reset(games))

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, observation=self.by_rows(result.observation))


class EntitiesTwice(RowsBeyondTheLast):
    """Entities for every agent, and rows beside them."""

    def by_rows(self, seen: Observation) -> Observation:
        changed = super().by_rows(seen)
        assert changed.entity_index is not None
        index = changed.entity_index - 1
        return replace(changed, entities=seen.entities, entity_index=index)


class TeamOfNobody(Wrapped):
    """Teams are numbered from 1."""

    @property
    def spec(self) -> EnvironmentSpec:
        teams = self.inner.spec.teams
        return replace(self.inner.spec, teams=tuple(team + 1 for team in teams))


class AgentOfNoTeam(Wrapped):
    """The last agent has no team."""

    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, teams=self.inner.spec.teams[:-1])


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Wrapped], str] = {
    RowsBeyondTheLast: "shapes_and_types_follow_the_spec",
    EntitiesTwice: "shapes_and_types_follow_the_spec",
    HasNoReset: "environment_has_every_member",
    WritesIntoRewards: "what_was_given_stays",
    OneAgentElsewhere: "table_says_what_agents_see",
    ResetsEverything: "reset_touches_only_the_games_in_the_mask",
    NeverResets: "a_reset_game_forgets",
    DropsState: "state_dict_continues_exactly",
    NaNForTheDead: "nothing_is_nan",
    RevivesTheDead: "the_dead_stay_dead",
    EndsTooLate: "episodes_end_in_time",
    NotOfFixedLength: "episodes_end_in_time",
    EndsTwice: "episodes_end_in_time",
    GlobalRandomness: "environment_leaves_global_randomness_alone",
    SharedRewards: "games_do_not_influence_each_other",
    WrongFeatures: "shapes_and_types_follow_the_spec",
    UnpromisedRewards: "shapes_and_types_follow_the_spec",
    UnpromisedWins: "shapes_and_types_follow_the_spec",
    WinsTooEarly: "shapes_and_types_follow_the_spec",
    IntegerRewards: "shapes_and_types_follow_the_spec",
    TeamOfNobody: "spec_is_constant_and_sensible",
    AgentOfNoTeam: "spec_is_constant_and_sensible",
    ChangesItsSpec: "spec_is_constant_and_sensible",
    UnseededReset: "same_generator_same_games",
    ForgetsTheCoin: "expected_rewards_agree_with_play",
    RowsOutOfTheTable: "table_says_what_agents_see",
    ForgetsTheTable: "table_says_what_agents_see",
    ShortTable: "table_says_what_agents_see",
}
