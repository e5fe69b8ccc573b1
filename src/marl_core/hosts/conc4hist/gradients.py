"""The way back of ``attend``: the gradients of one tile of samples after the other, added up.

``by_x`` is the gradient of the loss by x, which comes from outside or is found on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.hosts.conc4hist.tiles import Inputs, Tile


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
    """The gradients of ``attend``, to which every tile adds its part.

    Attributes:
        query: by q.
        weight: by W.
        bias: by b.
        by_hidden: by the readout's A.
        by_features: by the readout's B.
        first_layer: whether those by W and b are wanted.
    """

    query: Float[Tensor, "B W"]
    weight: Float[Tensor, "F W"]
    bias: Float[Tensor, "W"]
    by_hidden: Float[Tensor, "kW V"]
    by_features: Float[Tensor, "kF V"]
    first_layer: bool

    @classmethod
    def zeros(cls, inputs: Inputs, *, first_layer: bool) -> Gradients:
        """Before the first tile.

        Args:
            inputs: of all samples.
            first_layer: whether the gradients by W and b are wanted.
        """
        return cls(
            query=torch.zeros_like(inputs.query),
            weight=torch.zeros_like(inputs.weight),
            bias=torch.zeros_like(inputs.bias),
            by_hidden=torch.zeros_like(inputs.by_hidden),
            by_features=torch.zeros_like(inputs.by_features),
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
            features = tile.features.flatten(0, 1)
            self._add_first_layer(features, tile.hidden, scratch.find_by_hidden())

    def add_readout(
        self,
        tile: Tile,
        inputs: Inputs,
        places: Int[Tensor, "b k"],
        by_chosen: Float[Tensor, "b V"],
    ) -> None:
        """Back through what was read from the chosen entities.

        Args:
            tile: some of the samples.
            inputs: of all samples.
            places: the chosen entities.
            by_chosen: the gradient by what was read.
        """
        samples = len(by_chosen)
        hidden = tile.hidden_of(places)
        features = tile.features_of(places)
        self.by_hidden.addmm_(
            hidden.view(samples, -1).T,
            by_chosen,
        )
        self.by_features.addmm_(
            features.view(samples, -1).T,
            by_chosen,
        )
        if self.first_layer:
            by_best = torch.mm(by_chosen, inputs.by_hidden.T).view_as(hidden)
            self._add_first_layer(features, hidden, by_best)

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
