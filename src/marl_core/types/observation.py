"""What agents see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types.batch import TensorBatch

#: The action of an agent that is dead or has no legal action; in a box, each of its numbers, as far
#: as the bounds allow it.
NO_OP = 0


@dataclass(frozen=True)
class Observation(TensorBatch):
    """What the agents see. What is missing is None or masked, never a NaN.

    An environment with a table of distinct observations gives ``row`` in place of features; see
    ``marl_core.observation_table``. An environment in which several agents see the same entities
    may give each entity once; see ``marl_core.entity_rows``.

    Attributes:
        features: what each agent sees, as O numbers.
        entities: what each agent sees, as K entities of F numbers.
        entity_mask: which of the entities are there.
        entity_rows: the entities of the whole game, in place of ``entities``.
        entity_index: which of these rows each agent sees, in place of ``entities``. Where the mask
            is not set it means nothing, though it is in range.
        state: the state of the game, for mixing networks.
        action_mask: which actions are legal; None: all of them.
        alive: which agents live; None: all of them.
        row: the row of the table that each agent sees.
    """

    features: Float[Tensor, "*B N O"] | None = None
    entities: Float[Tensor, "*B N K F"] | None = None
    entity_mask: Bool[Tensor, "*B N K"] | None = None
    entity_rows: Float[Tensor, "*B P F"] | None = None
    entity_index: Int[Tensor, "*B N K"] | None = None
    state: Float[Tensor, "*B S"] | None = None
    action_mask: Bool[Tensor, "*B N A"] | None = None
    alive: Bool[Tensor, "*B N"] | None = None
    row: Int[Tensor, "*B N"] | None = None

    def legal_actions(self) -> Bool[Tensor, "*B N A"] | None:
        """The mask that explorations get, with at least one legal action for every agent.

        Returns:
            ``[*B, N, A]``; the dead, and agents without a legal action, have ``NO_OP``. None
            without an action mask, even where agents die: then the collector sees to it that the
            dead do nothing.
        """
        mask = self.action_mask
        if mask is None:
            return None
        if self.alive is not None:
            mask = mask & self.alive.unsqueeze(-1)
        no_op = torch.zeros_like(mask)
        no_op[..., NO_OP] = True
        # Not by ``where``, which ONNX Runtime has for numbers alone.
        return mask | (no_op & ~mask.any(-1, keepdim=True))
