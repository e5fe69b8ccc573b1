"""The way forward of ``attend``: what it gives, one tile of samples after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.hosts.conc4hist.choice import masked_softmax, most_attended
from marl_core.hosts.conc4hist.tiles import Inputs, Tile


@final
@dataclass(frozen=True)
class Outputs:
    """What ``attend`` gives, filled in tile by tile.

    Attributes:
        mean: ``sum_j a_j h_j``.
        weights: the attention a.
        chosen: what is read from the chosen entities.
        places: which entities these are, counted through all entities of their tile.
    """

    mean: Float[Tensor, "B W"]
    weights: Float[Tensor, "B J"]
    chosen: Float[Tensor, "B V"]
    places: Int[Tensor, "B k"]

    @classmethod
    def empty(cls, inputs: Inputs, count: int) -> Outputs:
        """Before the first tile.

        Args:
            inputs: of all samples.
            count: k, how many entities are chosen.
        """
        query = inputs.query
        samples, entities = inputs.features.shape[:2]
        width = inputs.by_hidden.shape[1]
        places = torch.empty(
            samples,
            count,
            dtype=torch.int64,
            device=query.device,
        )
        return cls(
            mean=torch.empty_like(query),
            weights=query.new_empty(samples, entities),
            chosen=query.new_empty(samples, width),
            places=places,
        )

    def attend(
        self,
        tile: Tile,
        inputs: Inputs,
        mask: Bool[Tensor, "B J"],
    ) -> None:
        """Attention and mean of a tile.

        Args:
            tile: some of the samples.
            inputs: of all samples.
            mask: which entities are there, in all samples.
        """
        some = tile.samples
        query = inputs.query[some].unsqueeze(1)
        scores = torch.bmm(query, tile.hidden.transpose(1, 2)).squeeze(1)
        attention = self.weights[some]
        attention.copy_(masked_softmax(scores, mask[some]))
        mean = self.mean[some].unsqueeze(1)
        torch.bmm(
            attention.unsqueeze(1),
            tile.hidden,
            out=mean,
        )

    def read(self, tile: Tile, inputs: Inputs, first: int) -> None:
        """Choose the most attended entities of a tile, and read from them.

        Args:
            tile: some of the samples, whose attention is known.
            inputs: of all samples.
            first: entities before this one are not for choice.
        """
        some = tile.samples
        places = self.places[some]
        self._choose(
            self.weights[some],
            first,
            out=places,
        )
        samples = len(places)
        chosen = self.chosen[some]
        hidden = tile.hidden_of(places).view(samples, -1)
        torch.mm(hidden, inputs.by_hidden, out=chosen)
        features = tile.features_of(places).view(samples, -1)
        chosen.addmm_(features, inputs.by_features)

    def _choose(
        self,
        attention: Float[Tensor, "b J"],
        first: int,
        out: Int[Tensor, "b k"],
    ) -> None:
        starts = torch.arange(
            first,
            attention.numel(),
            attention.shape[1],
            device=attention.device,
        )
        best = most_attended(
            attention[:, first:],
            out.shape[1],
        )
        torch.add(best, starts.unsqueeze(1), out=out)
