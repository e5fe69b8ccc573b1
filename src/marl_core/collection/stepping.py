"""An environment's games, stepped and seen as rollouts need them."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.entity_rows import write_out_entities
from marl_core.observation_table import look_up
from marl_core.protocols import Environment
from marl_core.types import NO_OP, Observation, StepResult


@final
class Stepping:
    """Games that are never played in mixed precision: that is for networks, not for games.

    Args:
        environment: whose games they are.
        device: where they are.
    """

    def __init__(self, environment: Environment, device: torch.device) -> None:
        self._environment = environment
        self._device = device.type

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew.

        Args:
            games: which ones; None: all of them.
        """
        if not torch.is_autocast_enabled(self._device):
            return self._environment.reset(games)
        with torch.autocast(self._device, enabled=False):
            return self._environment.reset(games)

    def step(self, actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]) -> StepResult:
        """A step of all games.

        Args:
            actions: numbers are clipped to their box; learners get them as they were drawn.
        """
        box = self._environment.spec.box
        if box is not None:
            actions = box.clipped(actions)
        if not torch.is_autocast_enabled(self._device):
            return self._environment.step(actions)
        with torch.autocast(self._device, enabled=False):
            return self._environment.step(actions)


def without_the_dead(
    actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"],
    alive: Bool[Tensor, "E N"] | None,
) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
    """Actions in which the dead do nothing.

    With a table, or without action masks, no mask stops them.

    Args:
        actions: what was drawn for every agent.
        alive: which agents live; None: all of them.
    """
    if alive is None:
        return actions
    dead = ~alive if actions.dim() == 2 else ~alive.unsqueeze(-1)
    return actions.masked_fill(dead, NO_OP)


def seen(
    observation: Observation,
    *,
    table: Observation | None,
    entity_rows: bool,
) -> Observation:
    """An observation as it goes into a rollout.

    Args:
        observation: the environment's.
        table: by which its rows are written out; None: they stay.
        entity_rows: whether the host takes rows of entities, which are written out otherwise.
    """
    if table is not None:
        observation = look_up(observation, table)
    return observation if entity_rows else write_out_entities(observation)
