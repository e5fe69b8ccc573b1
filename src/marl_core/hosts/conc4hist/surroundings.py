"""What agents see and remember, in the form that the concentration network takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from marl_core.entity_rows import rows_and_index
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.types import Memory, Observation


@dataclass(frozen=True)
class Surroundings:
    """What agents see and remember. The agent itself is entity 0 of ``now``.

    Entities are rows of one list, and agents have indices into it: an entity that several agents
    see, or that one of them remembers for a while, is there once. The last row is *nobody*, all
    zeros: it stands where no entity is. A dead agent sees nobody.

    Attributes:
        rows: the entities.
        now: the rows seen now.
        past: the rows remembered.
    """

    rows: Float[Tensor, "rows F"]
    now: Int[Tensor, "*B K"]
    past: Int[Tensor, "*B K"]

    @classmethod
    def of(cls, observation: Observation, memory: Memory) -> Surroundings:
        """What all agents of some games see and remember at one moment.

        Args:
            observation: with entities, leading axes ``*B``.
            memory: with ``past`` and ``past_mask``.
        """
        seen, index = rows_and_index(observation)
        past = memory["past"]
        past_mask = memory["past_mask"]
        remembered = past.flatten(0, -2).to(seen.dtype)
        rows = with_nobody(torch.cat([seen, remembered]))
        nobody = rows.shape[0] - 1
        places = torch.arange(
            seen.shape[0],
            nobody,
            device=rows.device,
        )
        return cls(
            rows,
            seen_rows(observation, index, nobody),
            torch.where(past_mask, places.view(past_mask.shape), nobody),
        )

    @property
    def nobody(self) -> int:
        """The row that stands where no entity is."""
        return self.rows.shape[0] - 1

    def normalised(self, norm: RunningNorm, dtype: torch.dtype) -> Surroundings:
        """The same with normalised rows.

        Args:
            norm: normalises.
            dtype: of the result.
        """
        rows = norm(self.rows).to(dtype)
        rows[-1] = 0.0
        return replace(self, rows=rows)

    def of_samples(self, samples: slice | Int[Tensor, "some"]) -> Surroundings:
        """What the agents of some samples see and remember.

        Args:
            samples: which ones, along the first of the leading axes.
        """
        return replace(
            self,
            now=self.now[samples],
            past=self.past[samples],
        )


def with_nobody(rows: Float[Tensor, "rows F"]) -> Float[Tensor, "rows+1 F"]:
    """The rows, and after them one of zeros.

    Args:
        rows: of entities.
    """
    return nn.functional.pad(rows, (0, 0, 0, 1))


def seen_rows(
    observation: Observation,
    index: Int[Tensor, "*B N K"],
    nobody: int,
) -> Int[Tensor, "*B N K"]:
    """The rows that each agent sees, and nobody where no entity is or the agent is dead.

    Args:
        observation: with entities.
        index: of each agent's entities, without regard to the masks.
        nobody: the row that stands where no entity is.
    """
    there = entities_there(observation)
    return index if there is None else torch.where(there, index, nobody)


def entities_there(observation: Observation) -> Bool[Tensor, "*B N K"] | None:
    """Which entities the agents see; None: all of them. The dead see none.

    Args:
        observation: with entities.
    """
    mask = observation.entity_mask
    alive = observation.alive
    if alive is None:
        return mask
    living = alive.unsqueeze(-1)
    if mask is not None:
        return mask & living
    index = observation.entity_index
    entities = observation.entities
    shape = index.shape if index is not None else entities.shape[:-1]  # type: ignore[union-attr]
    return living.expand(shape)
