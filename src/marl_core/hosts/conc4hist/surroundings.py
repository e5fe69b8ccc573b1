"""What agents see and remember, in the form that the concentration network takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.types import Memory, Observation, TensorBatch


@dataclass(frozen=True)
class Surroundings(TensorBatch):
    """What agents see and remember. The agent itself is entity 0 of ``now``.

    Attributes:
        now: the entities seen now.
        now_mask: which of them are there; none for an agent that is dead.
        past: the entities remembered.
        past_mask: which of them are there; none for an agent that is dead.
    """

    now: Float[Tensor, "*B K F"]
    now_mask: Bool[Tensor, "*B K"]
    past: Float[Tensor, "*B K F"]
    past_mask: Bool[Tensor, "*B K"]

    @classmethod
    def of(cls, observation: Observation, memory: Memory) -> Surroundings:
        """What all agents see and remember.

        Args:
            observation: with entities.
            memory: with ``past`` and ``past_mask``.
        """
        now = observation.entities
        assert now is not None
        mask = observation.entity_mask
        if mask is None:
            mask = torch.ones(
                now.shape[:-1],
                dtype=torch.bool,
                device=now.device,
            )
        past_mask = memory["past_mask"]
        if observation.alive is not None:
            alive = observation.alive.unsqueeze(-1)
            mask = mask & alive
            past_mask = past_mask & alive
        return cls(now, mask, memory["past"], past_mask)
