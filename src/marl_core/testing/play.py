"""Playing an environment by hand, as its checks need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.episodes import games_of
from marl_core.entity_rows import write_out_entities
from marl_core.observation_table import (
    look_up,
    table_of,
)
from marl_core.protocols import Environment
from marl_core.types import (
    NO_OP,
    Box,
    Observation,
    StepResult,
)


@dataclass(frozen=True)
class EnvironmentCase:
    """An environment to check.

    Attributes:
        make: ``make(games=..., device=..., generator=...)`` builds one.
        device: where it plays.
    """

    make: Callable[..., Environment]
    device: str = "cpu"

    def build(self, games: int, seed: int) -> Environment:
        """An environment with a generator of its own.

        Args:
            games: E, how many games it plays.
            seed: of the generator.
        """
        environment, _ = self.build_with_generator(games, seed)
        return environment

    def build_with_generator(
        self, games: int, seed: int
    ) -> tuple[Environment, torch.Generator]:
        """An environment, and the generator that it draws from.

        Args:
            games: E, how many games it plays.
            seed: of the generator.
        """
        generator = self.generator(seed)
        made = self.make(
            games=games,
            device=self.device,
            generator=generator,
        )
        return made, generator

    def generator(self, seed: int) -> torch.Generator:
        """A generator on the device.

        Args:
            seed: where it starts.
        """
        return torch.Generator(self.device).manual_seed(seed)


def random_actions(
    environment: Environment,
    seen: Observation,
    generator: torch.Generator,
) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
    """Random legal actions.

    In about half of the games each agent has its own, in the others all have the same where it is
    legal.

    Args:
        environment: is played.
        seen: what its agents see.
        generator: where the actions come from.
    """
    spec = environment.spec
    games = games_of(seen)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(
            shape,
            generator=generator,
            device=generator.device,
        )

    if spec.box is not None:
        return _in_box(
            spec.box,
            uniform(games, spec.agents, spec.box.numbers),
            seen,
        )
    numbers = uniform(
        games,
        spec.agents,
        spec.actions,
    )
    alike = uniform(games, 1, 1) < 0.5
    numbers = torch.where(
        alike,
        numbers[:, :1],
        numbers,
    )
    legal = write_out(environment, seen).legal_actions()
    if legal is not None:
        numbers = numbers.masked_fill(~legal, -1.0)
    actions = numbers.argmax(-1)
    return (
        actions
        if seen.alive is None
        else torch.where(
            seen.alive,
            actions,
            NO_OP,
        )
    )


def _in_box(
    box: Box,
    shares: Float[Tensor, "E N D"],
    seen: Observation,
) -> Float[Tensor, "E N D"]:
    """Numbers all over a box; some of them are its bounds, and some games' agents act alike."""
    alike = shares[:, :1, :1] < 0.5
    shares = torch.where(alike, shares[:, :1], shares)
    low, high = box.bounds(shares)
    beyond = (1.5 * shares - 0.25).clamp(0, 1)
    return still_dead(
        box.clipped(low + (high - low) * beyond),
        seen,
        box,
    )


def still_dead(
    actions: Float[Tensor, "E N D"],
    seen: Observation,
    box: Box,
) -> Float[Tensor, "E N D"]:
    """The actions with those of the dead as the collector has them.

    Args:
        actions: of every agent.
        seen: says who lives.
        box: in which they lie.
    """
    if seen.alive is None:
        return actions
    dead = ~seen.alive.unsqueeze(-1)
    return box.clipped(actions.masked_fill(dead, NO_OP))


def write_out(environment: Environment, seen: Observation) -> Observation:
    """The observation with its table's rows and its rows of entities written out.

    Args:
        environment: which may have a table.
        seen: what its agents see.
    """
    table = table_of(environment)
    written = seen if table is None else look_up(seen, table)
    return write_out_entities(written)


@dataclass(frozen=True)
class Played:
    """A step that was played.

    Attributes:
        on: which games were on, ``[E]``.
        before: what was seen before the step.
        actions: what was done, ``[E, N]``; in a box ``[E, N, D]``.
        result: what came of it.
    """

    on: Bool[Tensor, "E"]
    before: Observation
    actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]
    result: StepResult

    @property
    def still_on(self) -> Bool[Tensor, "E"]:
        """Which games are on after the step."""
        return self.on & ~self.result.ended


def play(
    environment: Environment,
    first: Observation,
    choice: torch.Generator,
    steps: int | None = None,
) -> list[Played]:
    """Play on with random actions.

    Args:
        environment: is played.
        first: what its agents see now.
        choice: where the actions come from.
        steps: how many to play; None: until every game is over, or a step past ``max_steps``.
    """
    most = environment.spec.max_steps + 1 if steps is None else steps
    seen = first
    played: list[Played] = []
    on = torch.ones(
        games_of(first),
        dtype=torch.bool,
        device=choice.device,
    )
    for _ in range(most):
        if steps is None and not on.any():
            break
        actions = random_actions(environment, seen, choice)
        result = environment.step(actions)
        step = Played(on, seen, actions, result)
        played.append(step)
        on = step.still_on
        seen = result.observation
    return played


def tensors_of(
    step: StepResult,
) -> dict[str, Tensor]:
    """Everything that a step gives, by name.

    Args:
        step: what came of it.
    """
    every = vars(step).items()
    own = {name: value for name, value in every if isinstance(value, Tensor)}
    return own | step.observation.tensors()
