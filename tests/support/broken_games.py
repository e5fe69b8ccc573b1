"""Environments that each break one promise about time, chance, owners, or their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from marl_core.protocols import Environment
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Observation, StepResult
from tests.support.broken_environments import Wrapped


class Seen(Wrapped):
    """Changes what is seen, at resets and steps alike."""

    def change(self, seen: Observation) -> Observation:
        return seen

    def reset(self, games: Tensor | None = None) -> Observation:
        return self.change(self.inner.reset(games))

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, observation=self.change(result.observation))


def _past_types(seen: Observation, **changed: Tensor) -> Observation:
    """An observation whose types the tests would refuse before the checker does."""
    other = replace(seen)
    for name, value in changed.items():
        object.__setattr__(other, name, value)
    return other


# Owners


class WritesIntoFeatures(Seen):
    """The same tensor at every step."""

    buffer: Tensor | None = None

    def change(self, seen: Observation) -> Observation:
        assert seen.features is not None
        if self.buffer is None:
            self.buffer = seen.features.clone()
        self.buffer.copy_(seen.features)
        return replace(seen, features=self.buffer)


class WritesIntoMasks(Seen):
    buffer: Tensor | None = None

    def change(self, seen: Observation) -> Observation:
        assert seen.action_mask is not None
        if self.buffer is None:
            self.buffer = seen.action_mask.clone()
        self.buffer.copy_(seen.action_mask)
        return replace(seen, action_mask=self.buffer)


class WritesIntoActions(Wrapped):
    """The dead do nothing, whatever the caller's tensor says."""

    def step(self, actions: Tensor) -> StepResult:
        dead = self.inner.state_dict()["health"] == 0
        result = self.inner.step(actions)
        actions.masked_fill_(dead, 0).add_(1)
        return result


class LiveState(Wrapped):
    """Gives the tensors by which it plays, and plays in place."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.live = {k: v.clone() for k, v in self.inner.state_dict().items()}

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        for name, value in self.inner.state_dict().items():
            self.live[name].copy_(value)
        return result

    def state_dict(self) -> dict[str, Tensor]:
        return self.live


class PlaysOnInWhatItLoaded(Wrapped):
    """Takes the loaded tensors for its own."""

    loaded: Mapping[str, Tensor] = {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.inner.load_state_dict(state)
        self.loaded = state

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        own = self.inner.state_dict()
        for name, value in self.loaded.items():
            value.copy_(own[name])
        return result

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in super().state_dict().items()}


# Types and places


class DoubleFeatures(Seen):
    def change(self, seen: Observation) -> Observation:
        assert seen.features is not None
        return _past_types(seen, features=seen.features.double())


class HalfRewards(Wrapped):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, team_reward=result.team_reward.half())


class IntegerMasks(Seen):
    def change(self, seen: Observation) -> Observation:
        assert seen.action_mask is not None
        return _past_types(seen, action_mask=seen.action_mask.long())


class StateElsewhere(Seen):
    """The state of the game was made without ``device=``."""

    def change(self, seen: Observation) -> Observation:
        assert seen.state is not None
        return replace(seen, state=torch.zeros_like(seen.state, device="meta"))


class RewardsElsewhere(Wrapped):
    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        elsewhere = torch.zeros_like(result.team_reward, device="meta")
        return replace(result, team_reward=elsewhere)


# Chance


class ConstantSeed(Wrapped):
    """A generator of its own, which always begins alike."""

    @staticmethod
    def build(
        games: int, device: torch.device | str, generator: torch.Generator
    ) -> Environment:
        own = torch.Generator(device).manual_seed(0)
        return Practice(PracticeConfig(), games=games, device=device, generator=own)


# Neighbours


class SeesItsNeighbour(Seen):
    def change(self, seen: Observation) -> Observation:
        assert seen.state is not None
        return replace(seen, state=seen.state.roll(1, 0))


class EndsWithItsNeighbour(Wrapped):
    """A game ends where another of the batch does."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        terminated = result.terminated | result.terminated.roll(1, 0)
        return replace(
            result, terminated=terminated, truncated=result.truncated & ~terminated
        )


class CentresFeatures(Seen):
    """Features are normalised over the batch."""

    def change(self, seen: Observation) -> Observation:
        assert seen.features is not None
        return replace(seen, features=seen.features - seen.features.mean(0))


# Time


class ResetsByItself(Wrapped):
    """A game that ends begins again within the step, as vector environments elsewhere do."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(result, observation=self.inner.reset(result.ended))


class EndsAStepLate(Wrapped):
    """Says that a game is over one step after it was."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.last: tuple[Tensor, Tensor] | None = None

    def reset(self, games: Tensor | None = None) -> Observation:
        if games is None or self.last is None:
            self.last = None
        else:
            terminated, truncated = self.last
            self.last = (terminated & ~games, truncated & ~games)
        return self.inner.reset(games)

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        before, self.last = self.last, (result.terminated, result.truncated)
        terminated, truncated = before or (
            torch.zeros_like(result.terminated),
            torch.zeros_like(result.truncated),
        )
        return replace(
            result,
            terminated=terminated,
            truncated=truncated & ~terminated,
            won=torch.zeros_like(terminated),
        )


class TerminatesAtTheLimit(Seen):
    """The time limit is an end of the task, and nobody sees it coming."""

    def change(self, seen: Observation) -> Observation:
        assert seen.features is not None
        assert seen.entities is not None
        assert seen.state is not None
        features, entities, state = (
            value.clone() for value in (seen.features, seen.entities, seen.state)
        )
        for value in (features, entities, state):
            value[..., 0] = 0.0
        return replace(seen, features=features, entities=entities, state=state)

    def step(self, actions: Tensor) -> StepResult:
        result = super().step(actions)
        return replace(
            result,
            terminated=result.ended,
            truncated=torch.zeros_like(result.truncated),
            won=torch.zeros_like(result.terminated),
        )


class DiesForAStep(Seen):
    """The ill count as dead until they are well."""

    def change(self, seen: Observation) -> Observation:
        assert seen.alive is not None
        return replace(seen, alive=seen.alive & ~self.inner.state_dict()["ill"])


class BecomesLonger(Wrapped):
    """Promises fewer steps than it takes."""

    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, max_steps=2)


# Resets


class WeakAfterAMask(Wrapped):
    """A game that a mask starts anew begins in poorer health."""

    def reset(self, games: Tensor | None = None) -> Observation:
        seen = self.inner.reset(games)
        if games is None:
            return seen
        state = self.inner.state_dict()
        weak = torch.where(games.unsqueeze(-1), 1, state["health"])
        self.inner.load_state_dict({**state, "health": weak})
        return self.inner.reset(torch.zeros_like(games))


class WeakAfterSome(Wrapped):
    """The same, but only where some games go on."""

    def reset(self, games: Tensor | None = None) -> Observation:
        if games is None or bool(games.all()):
            return self.inner.reset(games)
        return WeakAfterAMask.reset(self, games)  # type: ignore[arg-type]


class MasksOfBefore(Seen):
    """After a partial reset agents are told the legal actions of before it."""

    before: Tensor | None = None

    def reset(self, games: Tensor | None = None) -> Observation:
        seen = self.inner.reset(games)
        if games is None or self.before is None or bool(games.all()):
            return seen
        return replace(seen, action_mask=self.before.clone())

    def change(self, seen: Observation) -> Observation:
        self.before = seen.action_mask
        return seen


class ResetsTheNeighbour(Wrapped):
    def reset(self, games: Tensor | None = None) -> Observation:
        return self.inner.reset(None if games is None else games | games.roll(1, 0))


class CarriesTheIllness(Wrapped):
    """Who was ill at the end of a game is ill at the beginning of the next."""

    def reset(self, games: Tensor | None = None) -> Observation:
        ill = self.inner.state_dict()["ill"]
        self.inner.reset(games)
        state = self.inner.state_dict()
        self.inner.load_state_dict({**state, "ill": ill.clone()})
        return self.inner.reset(torch.zeros_like(state["step"], dtype=torch.bool))


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[Wrapped], str] = {
    WritesIntoFeatures: "what_was_given_stays",
    WritesIntoMasks: "what_was_given_stays",
    WritesIntoActions: "what_was_given_stays",
    LiveState: "a_saved_state_stays",
    PlaysOnInWhatItLoaded: "a_saved_state_stays",
    DoubleFeatures: "shapes_and_types_follow_the_spec",
    HalfRewards: "shapes_and_types_follow_the_spec",
    IntegerMasks: "shapes_and_types_follow_the_spec",
    StateElsewhere: "tensors_are_on_the_device",
    RewardsElsewhere: "tensors_are_on_the_device",
    ConstantSeed: "chance_comes_from_the_generator",
    SeesItsNeighbour: "games_do_not_influence_each_other",
    EndsWithItsNeighbour: "games_do_not_influence_each_other",
    CentresFeatures: "games_do_not_influence_each_other",
    ResetsByItself: "a_step_starts_no_game",
    EndsAStepLate: "episodes_end_in_time",
    BecomesLonger: "episodes_end_in_time",
    TerminatesAtTheLimit: "a_limit_from_outside_is_no_end",
    DiesForAStep: "the_dead_stay_dead",
    WeakAfterAMask: "resets_are_alike",
    WeakAfterSome: "resets_are_alike",
    MasksOfBefore: "resets_are_alike",
    ResetsTheNeighbour: "reset_touches_only_the_games_in_the_mask",
    CarriesTheIllness: "a_reset_game_forgets",
}
