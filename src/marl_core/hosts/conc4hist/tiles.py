"""The samples of ``attend``, a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: How many samples one core works on at a time. The hidden layer of 512 samples of 12 entities, 48
#: wide, takes 1.2 MB, which the second-level cache holds.
TILE = 512


class Inputs(NamedTuple):
    """What ``attend`` computes with, by the names of its equations.

    Attributes:
        query: q.
        rows: x of every entity; the last row stands where no entity is.
        weight: W.
        bias: b.
    """

    query: Float[Tensor, "B W"]
    rows: Float[Tensor, "rows F"]
    weight: Float[Tensor, "F W"]
    bias: Float[Tensor, "W"]


class Tile(NamedTuple):
    """Some of the samples.

    Attributes:
        samples: which ones.
        there: which of their entities are there.
        features: x of their entities.
        hidden: h of their entities. The next tile overwrites it.
    """

    samples: slice
    there: Bool[Tensor, "b J"]
    features: Float[Tensor, "bJ F"]
    hidden: Float[Tensor, "b J W"]

    def places_in_tile(self, places: Int[Tensor, "b k"]) -> Int[Tensor, "bk"]:
        """Places among the entities of a sample, counted through all entities of the tile.

        Args:
            places: which entities of each sample.
        """
        samples, entities = self.there.shape
        first = torch.arange(samples, device=places.device) * entities
        return (places + first.unsqueeze(1)).flatten()


def tiles(inputs: Inputs, index: Int[Tensor, "B J"]) -> Iterator[Tile]:
    """As many samples at a time as fit into the cache.

    Args:
        inputs: of all samples.
        index: the rows of each sample's entities.
    """
    rows = inputs.rows
    nobody = len(rows) - 1
    samples, entities = index.shape
    width = len(inputs.bias)
    # Another device has no such cache, and starts each operation too slowly for small ones.
    size = TILE * torch.get_num_threads() if rows.is_cpu else samples
    buffer = rows.new_empty(
        min(size, samples) * entities,
        width,
    )
    for start in range(0, samples, max(size, 1)):
        some = slice(
            start,
            min(start + size, samples),
        )
        own = index[some]
        features = rows.index_select(0, own.flatten())
        room = buffer[: len(features)]
        torch.addmm(
            inputs.bias,
            features,
            inputs.weight,
            out=room,
        )
        hidden = room.relu_().view(-1, entities, width)
        yield Tile(some, own != nobody, features, hidden)
