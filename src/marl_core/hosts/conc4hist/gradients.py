"""The way back of ``attend``: the gradients of one tile of samples after the other, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor


def of_entities(
    values: Float[Tensor, "b J D"],
    places: Int[Tensor, "b k"],
) -> Float[Tensor, "bk D"]:
    """The values of chosen entities.

    Args:
        values: of all entities of a tile.
        places: the chosen ones, counted through all entities of the tile.
    """
    return values.flatten(0, 1).index_select(0, places.flatten())


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

    def fits(self, hidden: Float[Tensor, "b J W"]) -> bool:
        """Whether there is just the room that a tile needs.

        Args:
            hidden: h of the tile.
        """
        return len(self._left) == len(hidden)

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
    """

    query: Float[Tensor, "B W"]
    weight: Float[Tensor, "F W"]
    bias: Float[Tensor, "W"]
    by_hidden: Float[Tensor, "kW V"]
    by_features: Float[Tensor, "kF V"]

    @classmethod
    def zeros(cls, *values: Tensor) -> Gradients:
        """Before the first tile.

        Args:
            values: by which gradients are wanted, in the order of the attributes.
        """
        return cls(*(torch.zeros_like(value) for value in values))

    def add_query(
        self, tile: slice, scratch: Scratch, hidden: Float[Tensor, "b J W"]
    ) -> None:
        """The gradient by the queries of a tile.

        Args:
            tile: which samples.
            scratch: with the gradient by the scores.
            hidden: h of the tile.
        """
        by_scores = scratch.by_scores.unsqueeze(1)
        torch.bmm(
            by_scores,
            hidden,
            out=self.query[tile].unsqueeze(1),
        )

    def add_first_layer(
        self,
        features: Float[Tensor, "R F"],
        hidden: Float[Tensor, "*R W"],
        by_hidden: Float[Tensor, "*R W"],
    ) -> None:
        """The gradient by W and b.

        Args:
            features: x of R entities.
            hidden: their h.
            by_hidden: the gradient by h; it is overwritten.
        """
        # relu's own gradient, in place.
        torch.ops.aten.threshold_backward.grad_input(
            by_hidden, hidden, 0, grad_input=by_hidden
        )
        flat = by_hidden.view(-1, by_hidden.shape[-1])
        self.weight.addmm_(features.T, flat)
        self.bias.add_(flat.sum(0))

    def add_readout(
        self,
        hidden: Float[Tensor, "bk W"],
        features: Float[Tensor, "bk F"],
        by_chosen: Float[Tensor, "b V"],
    ) -> None:
        """The gradient by A and B.

        Args:
            hidden: h of the chosen entities.
            features: their x.
            by_chosen: the gradient by what was read.
        """
        samples = len(by_chosen)
        self.by_hidden.addmm_(hidden.view(samples, -1).T, by_chosen)
        self.by_features.addmm_(features.view(samples, -1).T, by_chosen)
