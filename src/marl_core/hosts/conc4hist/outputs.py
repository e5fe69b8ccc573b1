"""The way forward of ``attend``: what it gives, one tile of samples after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.hosts.conc4hist.choice import masked_softmax, most_attended
from marl_core.hosts.conc4hist.tiles import Inputs, Tile, tiles


@final
@dataclass(frozen=True)
class Outputs:
    """What ``attend`` gives: room that is filled in.

    Attributes:
        mean: ``sum_j a_j h_j``.
        weights: the attention a.
        chosen: h of the chosen entities.
        places: which entities these are.
    """

    mean: Float[Tensor, "B W"]
    weights: Float[Tensor, "B J"]
    chosen: Float[Tensor, "B k W"]
    places: Int[Tensor, "B k"]

    @classmethod
    def empty(
        cls,
        inputs: Inputs,
        index: Int[Tensor, "B J"],
        count: int,
    ) -> Outputs:
        """Room for all samples.

        Args:
            inputs: of all samples.
            index: the rows of each sample's entities.
            count: k, how many entities are chosen.
        """
        query = inputs.query
        samples, width = query.shape
        places = torch.empty(
            samples,
            count,
            dtype=torch.int64,
            device=query.device,
        )
        return cls(
            mean=torch.empty_like(query),
            weights=query.new_empty(index.shape),
            chosen=query.new_empty(samples, count, width),
            places=places,
        )


def find_outputs(
    inputs: Inputs,
    index: Int[Tensor, "B J"],
    found: Outputs,
) -> None:
    """Fill in what ``attend`` gives.

    Args:
        inputs: of all samples.
        index: the rows of each sample's entities.
        found: where the results go.
    """
    count = found.places.shape[1]
    for tile in tiles(inputs, index):
        _attend(tile, inputs, found)
        if count:
            _choose(tile, found)


def _attend(tile: Tile, inputs: Inputs, found: Outputs) -> None:
    """Attention and mean of a tile."""
    some = tile.samples
    query = inputs.query[some].unsqueeze(1)
    scores = torch.bmm(query, tile.hidden.transpose(1, 2)).squeeze(1)
    attention = found.weights[some]
    attention.copy_(masked_softmax(scores, tile.there))
    mean = found.mean[some].unsqueeze(1)
    torch.bmm(
        attention.unsqueeze(1),
        tile.hidden,
        out=mean,
    )


def _choose(tile: Tile, found: Outputs) -> None:
    """The most attended entities of a tile."""
    some = tile.samples
    places = found.places[some]
    places.copy_(most_attended(found.weights[some], places.shape[1]))
    torch.index_select(
        tile.hidden.flatten(0, 1),
        0,
        tile.places_in_tile(places),
        out=found.chosen[some].flatten(0, 1),
    )
