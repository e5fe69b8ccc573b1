"""Entities that several agents see, each kept once.

In a game of many agents most entities are seen by several of them, and remembered for some steps.
Such an environment gives the entities of the game as ``Observation.entity_rows``, and for each
agent the rows that it sees as ``Observation.entity_index``. At fifty guards this takes a tenth of
the memory that a copy for every guard takes, and nothing is copied in playing and learning.

A host whose capabilities say ``entity_rows`` takes both forms (``rows_and_index`` makes one of
them). For all other hosts entities are written out.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.types import Observation


def write_out_entities(observation: Observation) -> Observation:
    """The observation with a copy of its entities for every agent, and without rows of the game.

    Args:
        observation: leading axes ``*B``; without rows of the game it is returned as it is.
    """
    rows = observation.entity_rows
    index = observation.entity_index
    if rows is None or index is None:
        return observation
    first_row = _first_rows(rows, index)
    place = (index + first_row).flatten()
    entities = rows.flatten(0, -2).index_select(0, place)
    mask = observation.entity_mask
    entities = entities.unflatten(0, index.shape)
    if mask is not None:
        entities = entities.masked_fill(~mask.unsqueeze(-1), 0.0)
    return replace(
        observation,
        entities=entities,
        entity_rows=None,
        entity_index=None,
    )


def rows_and_index(
    observation: Observation,
) -> tuple[Float[Tensor, "rows F"], Int[Tensor, "*B N K"]]:
    """All entities of an observation as one list of rows, and the row of each agent's entities.

    Args:
        observation: leading axes ``*B``, with entities in either form.

    Returns:
        The rows of all games, one game after the other; and indices into them, without regard to
        ``entity_mask``.
    """
    entities = observation.entities
    if entities is not None:
        listed = entities.flatten(0, -2)
        every = torch.arange(listed.shape[0], device=listed.device)
        return listed, every.view(entities.shape[:-1])
    rows = observation.entity_rows
    index = observation.entity_index
    assert rows is not None, "the observation has no entities"
    assert index is not None
    return rows.flatten(0, -2), index + _first_rows(rows, index)


def _first_rows(
    rows: Float[Tensor, "*B P F"],
    index: Int[Tensor, "*B N K"],
) -> Int[Tensor, "*B #N #K"]:
    """Where the rows of each game begin in the list of the rows of all games."""
    leading = rows.shape[:-2]
    games = leading.numel()
    first = torch.arange(
        games,
        dtype=index.dtype,
        device=index.device,
    )
    first = first * rows.shape[-2]
    return first.view(*leading, 1, 1)
