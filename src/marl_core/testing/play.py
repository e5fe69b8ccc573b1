"""Playing an environment by hand, as its checks need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from marl_core.collection.collector import observation_table
from marl_core.collection.episodes import games_of
from marl_core.protocols import Environment
from marl_core.types import NO_OP, Observation, StepResult


@dataclass(frozen=True)
class EnvironmentCase:
    """An environment to check: ``make(games=..., device=..., generator=...)`` builds one."""

    make: Callable[..., Environment]
    device: str = "cpu"

    def build(self, games: int, seed: int) -> Environment:
        """An environment with a generator of its own."""
        return self.make(
            games=games, device=self.device, generator=self.generator(seed)
        )

    def build_with_generator(
        self, games: int, seed: int
    ) -> tuple[Environment, torch.Generator]:
        """An environment, and the generator that it draws from."""
        generator = self.generator(seed)
        return self.make(
            games=games, device=self.device, generator=generator
        ), generator

    def generator(self, seed: int) -> torch.Generator:
        """A generator on the device."""
        return torch.Generator(self.device).manual_seed(seed)


def random_actions(
    environment: Environment, seen: Observation, generator: torch.Generator
) -> Int[Tensor, "E N"]:
    """Legal actions: in half of the games every agent for itself, in the others all alike as far as they may."""
    written = write_out(environment, seen)
    spec = environment.spec
    games = games_of(seen)
    numbers = torch.rand(
        (games, spec.agents, spec.actions), generator=generator, device=generator.device
    )
    alike = (
        torch.rand((games, 1, 1), generator=generator, device=generator.device) < 0.5
    )
    numbers = torch.where(alike, numbers[:, :1], numbers)
    legal = written.legal_actions()
    if legal is not None:
        numbers = numbers.masked_fill(~legal, -1.0)
    actions = numbers.argmax(-1)
    return actions if seen.alive is None else torch.where(seen.alive, actions, NO_OP)


def write_out(environment: Environment, seen: Observation) -> Observation:
    """The observation with its table's rows written out, if there is a table."""
    table = observation_table(environment)
    return seen if table is None else seen.look_up(table)


@dataclass(frozen=True)
class Played:
    """A step that was played: which games were on, what was seen before it, what was done, what came of it."""

    on: Bool[Tensor, "E"]
    before: Observation
    actions: Int[Tensor, "E N"]
    result: StepResult


def play(
    environment: Environment,
    first: Observation,
    choice: torch.Generator,
    steps: int | None = None,
) -> list[Played]:
    """Play on with random actions, by default until every game is over or a step past ``max_steps``."""
    spec, seen, played = environment.spec, first, list[Played]()
    on = torch.ones(games_of(first), dtype=torch.bool, device=choice.device)
    for _ in range(spec.max_steps + 1 if steps is None else steps):
        if steps is None and not on.any():
            break
        actions = random_actions(environment, seen, choice)
        result = environment.step(actions)
        played.append(Played(on, seen, actions, result))
        on, seen = on & ~(result.terminated | result.truncated), result.observation
    return played


def tensors_of(step: StepResult) -> dict[str, Tensor]:
    """Everything that a step gives, by name."""
    own = {
        name: value for name, value in vars(step).items() if isinstance(value, Tensor)
    }
    return own | tensors_in(step.observation)


def tensors_in(seen: Observation) -> dict[str, Tensor]:
    """Everything that an observation gives, by name."""
    return {
        name: value for name, value in vars(seen).items() if isinstance(value, Tensor)
    }
