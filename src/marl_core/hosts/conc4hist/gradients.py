"""The way back of ``attend``: the gradients of one tile of samples after the other, added up.

``by_x`` is the gradient of the loss by x, which comes from outside or is found on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.hosts.conc4hist.tiles import Inputs, Tile, tiles


@final
class Scratch:
    """Room for the gradients of one tile, used again for the next.

    The gradient by h is the sum of two outer products, ``by_scores q + a by_mean``. With both left
    factors in one tensor and both right factors in another it is a single product of matrices.

    Args:
        hidden: h of the first tile, which has the shape of the others.

    Attributes:
        by_scores: the gradient by the scores.
        attention: a.
        query: q.
        by_mean: the gradient by the mean.
    """

    def __init__(self, hidden: Float[Tensor, "b J W"]) -> None:
        samples, entities, width = hidden.shape
        self._left = hidden.new_empty(samples, 2, entities)
        self._right = hidden.new_empty(samples, 2, width)
        self._by_hidden = torch.empty_like(hidden)
        self.by_scores = self._left[:, 0]
        self.attention = self._left[:, 1]
        self.query = self._right[:, 0]
        self.by_mean = self._right[:, 1]

    def fits(self, tile: Tile) -> bool:
        """Whether this is just the room that a tile needs. The last tile may be shorter.

        Args:
            tile: some of the samples.
        """
        return len(self._left) == len(tile.hidden)

    def find_by_scores(self, hidden: Float[Tensor, "b J W"]) -> None:
        """The gradient by the scores: back through the mean and the softmax.

        Args:
            hidden: h of the tile.
        """
        by_mean = self._right[:, 1:]
        by_weights = torch.bmm(by_mean, hidden.transpose(1, 2)).squeeze(1)
        by_weights -= (self.attention * by_weights).sum(-1, keepdim=True)
        torch.mul(self.attention, by_weights, out=self.by_scores)

    def find_by_hidden(self) -> Float[Tensor, "b J W"]:
        """The gradient by h; the next tile overwrites it."""
        left = self._left.transpose(1, 2)
        return torch.bmm(left, self._right, out=self._by_hidden)


@final
@dataclass(frozen=True)
class Gradients:
    """The gradients of ``attend``: those that come in, and those that are found.

    Attributes:
        by_mean: the gradient by the mean.
        by_chosen: the gradient by the chosen.
        query: by q.
        weight: by W.
        bias: by b.
        first_layer: whether those by W and b are wanted.
    """

    by_mean: Float[Tensor, "B W"]
    by_chosen: Float[Tensor, "B k W"]
    query: Float[Tensor, "B W"]
    weight: Float[Tensor, "F W"]
    bias: Float[Tensor, "W"]
    first_layer: bool

    @classmethod
    def zeros(
        cls,
        inputs: Inputs,
        by_mean: Float[Tensor, "B W"],
        by_chosen: Float[Tensor, "B k W"],
        *,
        first_layer: bool,
    ) -> Gradients:
        """Before the first sample.

        Args:
            inputs: of all samples.
            by_mean: the gradient by the mean.
            by_chosen: the gradient by the chosen.
            first_layer: whether the gradients by W and b are wanted.
        """
        return cls(
            by_mean=by_mean,
            by_chosen=by_chosen,
            query=torch.zeros_like(inputs.query),
            weight=torch.zeros_like(inputs.weight),
            bias=torch.zeros_like(inputs.bias),
            first_layer=first_layer,
        )

    def add_attention(self, tile: Tile, scratch: Scratch) -> None:
        """Back through mean and attention.

        Args:
            tile: some of the samples.
            scratch: with the attention, the query and the gradient by the mean filled in.
        """
        scratch.find_by_scores(tile.hidden)
        by_scores = scratch.by_scores.unsqueeze(1)
        room = self.query[tile.samples].unsqueeze(1)
        torch.bmm(by_scores, tile.hidden, out=room)
        if self.first_layer:
            self._add_first_layer(
                tile.features,
                tile.hidden,
                scratch.find_by_hidden(),
            )

    def add_choice(self, tile: Tile, places: Int[Tensor, "b k"]) -> None:
        """Back through the chosen entities.

        Args:
            tile: some of the samples.
            places: the chosen entities.
        """
        if not self.first_layer:
            return
        chosen = tile.places_in_tile(places)
        self._add_first_layer(
            tile.features.index_select(0, chosen),
            tile.hidden.flatten(0, 1).index_select(0, chosen),
            self.by_chosen[tile.samples].flatten(0, 1).clone(),
        )

    def _add_first_layer(
        self,
        features: Float[Tensor, "R F"],
        hidden: Float[Tensor, "*R W"],
        by_hidden: Float[Tensor, "*R W"],
    ) -> None:
        """Back through ``h = relu(x W + b)`` of R entities; overwrites ``by_hidden``."""
        # relu's own gradient, in place.
        torch.ops.aten.threshold_backward.grad_input(
            by_hidden,
            hidden,
            0,
            grad_input=by_hidden,
        )
        flat = by_hidden.view(
            -1,
            by_hidden.shape[-1],
        )
        self.weight.addmm_(features.T, flat)
        self.bias.add_(flat.sum(0))


def find_gradients(
    inputs: Inputs,
    index: Int[Tensor, "B J"],
    weights: Float[Tensor, "B J"],
    places: Int[Tensor, "B k"],
    found: Gradients,
) -> None:
    """Add up the gradients of all samples.

    Args:
        inputs: of all samples.
        index: the rows of each sample's entities.
        weights: the attention.
        places: the chosen entities.
        found: where the results go.
    """
    scratch: Scratch | None = None
    for tile in tiles(inputs, index):
        if scratch is None or not scratch.fits(tile):
            scratch = Scratch(tile.hidden)
        some = tile.samples
        scratch.attention[:] = weights[some]
        scratch.query[:] = inputs.query[some]
        scratch.by_mean[:] = found.by_mean[some]
        found.add_attention(tile, scratch)
        if places.shape[1]:
            found.add_choice(tile, places[some])
