"""The samples of ``attend``, a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: How many samples one core works on at a time. The hidden layer of 512 samples of 12 entities, 48
#: wide, takes 1.2 MB, which the second-level cache holds.
TILE = 512


class Inputs(NamedTuple):
    """What ``attend`` computes with, by the names of its equations.

    Attributes:
        query: q.
        features: x.
        weight: W.
        bias: b.
        by_hidden: the A_i of the readout, one below the other.
        by_features: the B_i of the readout, one below the other.
    """

    query: Float[Tensor, "B W"]
    features: Float[Tensor, "B J F"]
    weight: Float[Tensor, "F W"]
    bias: Float[Tensor, "W"]
    by_hidden: Float[Tensor, "kW V"]
    by_features: Float[Tensor, "kF V"]


class Tile(NamedTuple):
    """Some of the samples.

    Attributes:
        samples: which ones.
        features: x of their entities.
        hidden: h of their entities. The next tile overwrites it.
    """

    samples: slice
    features: Float[Tensor, "b J F"]
    hidden: Float[Tensor, "b J W"]

    def hidden_of(self, places: Int[Tensor, "b k"]) -> Float[Tensor, "bk W"]:
        """h of chosen entities.

        Args:
            places: which ones, counted through all entities of the tile.
        """
        return self.hidden.flatten(0, 1).index_select(0, places.flatten())

    def features_of(self, places: Int[Tensor, "b k"]) -> Float[Tensor, "bk F"]:
        """x of chosen entities.

        Args:
            places: which ones, counted through all entities of the tile.
        """
        return self.features.flatten(0, 1).index_select(0, places.flatten())


def tiles(inputs: Inputs) -> Iterator[Tile]:
    """As many samples at a time as fit into the cache.

    Args:
        inputs: of all samples.
    """
    features = inputs.features
    samples, entities = features.shape[:2]
    width = len(inputs.bias)
    # Another device has no such cache, and starts each operation too slowly for small ones.
    size = TILE * torch.get_num_threads() if features.is_cpu else samples
    buffer = features.new_empty(
        min(size, samples) * entities,
        width,
    )
    for start in range(0, samples, max(size, 1)):
        some = slice(
            start,
            min(start + size, samples),
        )
        rows = features[some].flatten(0, 1)
        room = buffer[: len(rows)]
        torch.addmm(
            inputs.bias,
            rows,
            inputs.weight,
            out=room,
        )
        hidden = room.relu_().view(-1, entities, width)
        yield Tile(some, features[some], hidden)
