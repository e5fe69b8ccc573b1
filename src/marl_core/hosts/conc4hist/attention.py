"""Attention of one query over a few entities, their first layer included, and the choice of the most attended.

The first layer's outputs, ``h = relu(x W1 + b1)`` of all entities, are the largest tensor of all, yet quickly computed
from their few features. So they are never stored: a tile of samples at a time they are made, read while the cache holds
them, and made again in going back. On a CPU this saves the way to memory and back, everywhere the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Samples that one core works on at a time: 512 of 12 entities, 48 wide, are 1.2 MB, which its second cache holds.
TILE = 512


@dataclass(frozen=True)
class Readout:
    """Which entities are chosen, and weights for them: ``sum_i h_c(i) A_i + x_c(i) B_i``, c(i) the i-th most attended.

    Entities before ``first`` are not for choice. A and B have the A_i and B_i below one another.
    """

    count: int
    first: int
    by_hidden: Float[Tensor, "kW V"]
    by_features: Float[Tensor, "kF V"]


class Attended(NamedTuple):
    """The mean ``sum_j a_j h_j``, the attention a, and what ``Readout`` gives, V = 0 without one.

    Without an entity in the mask mean and attention are 0.
    """

    mean: Float[Tensor, "B W"]
    weights: Float[Tensor, "B J"]
    chosen: Float[Tensor, "B V"]


def attend(
    query: Float[Tensor, "B W"],
    features: Float[Tensor, "B J F"],
    mask: Bool[Tensor, "B J"],
    weight: Float[Tensor, "F W"],
    bias: Float[Tensor, "W"],
    readout: Readout | None = None,
) -> Attended:
    """``a = softmax(h q)`` over the entities in the mask, and what is read by it.

    Weights and choice pass no gradient, nor do the features. Under mixed precision too, all is in the numbers of the
    parameters: scores may be great, and gradients are summed over many tiles.
    """
    if readout is None:
        readout = Readout(0, 0, weight.new_empty(0, 0), weight.new_empty(0, 0))
    numbers = (query, features, weight, bias, readout.by_hidden, readout.by_features)
    inputs = [x.to(weight.dtype) for x in numbers]
    return Attended(*_Attend.apply(mask, readout.count, readout.first, *inputs))  # type: ignore[no-untyped-call]


class _Attend(torch.autograd.Function):
    """The arithmetic of ``attend``, forward and back."""

    @staticmethod
    def forward(
        ctx: Any,
        mask: Bool[Tensor, "B J"],
        count: int,
        first: int,
        query: Float[Tensor, "B W"],
        features: Float[Tensor, "B J F"],
        weight: Float[Tensor, "F W"],
        bias: Float[Tensor, "W"],
        by_hidden: Float[Tensor, "kW V"],
        by_features: Float[Tensor, "kF V"],
    ) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B J"], Float[Tensor, "B V"]]:
        """Mean, weights, and what the chosen give."""
        samples, entities = mask.shape
        mean, weights = torch.empty_like(query), query.new_empty(mask.shape)
        chosen = query.new_empty(samples, by_hidden.shape[1])
        rows = torch.empty(
            samples, count, dtype=torch.int64, device=mask.device
        )  # of the chosen, within their tile
        with torch.autocast(query.device.type, enabled=False):
            for tile, hidden in _tiles(features, weight, bias):
                attention = weights[tile]
                scores = torch.bmm(
                    query[tile].unsqueeze(1), hidden.transpose(1, 2)
                ).squeeze(1)
                attention.copy_(masked_softmax(scores, mask[tile]))
                torch.bmm(attention.unsqueeze(1), hidden, out=mean[tile].unsqueeze(1))
                if count:
                    start = torch.arange(
                        first, attention.numel(), entities, device=mask.device
                    )
                    torch.add(
                        most_attended(attention[:, first:], count),
                        start.unsqueeze(1),
                        out=rows[tile],
                    )
                    of_hidden, of_features = (
                        _chosen(hidden, rows[tile]),
                        _chosen(features[tile], rows[tile]),
                    )
                    torch.mm(
                        of_hidden.view(len(hidden), -1), by_hidden, out=chosen[tile]
                    )
                    chosen[tile].addmm_(of_features.view(len(hidden), -1), by_features)
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(
            query, features, weights, weight, bias, rows, by_hidden, by_features
        )
        return mean, weights, chosen

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        by_mean: Float[Tensor, "B W"],
        _: Tensor,
        by_chosen: Float[Tensor, "B V"],
    ) -> tuple[Tensor | None, ...]:
        """The gradients by query and weights."""
        query, features, weights, weight, bias, rows, by_hidden, by_features = (
            ctx.saved_tensors
        )
        learns = ctx.needs_input_grad[5] or ctx.needs_input_grad[6]
        found = [
            torch.zeros_like(x) for x in (query, weight, bias, by_hidden, by_features)
        ]
        to_query, to_weight, to_bias, to_hidden, to_features = found
        left = right = by_h = query.new_empty(0)
        with torch.autocast(query.device.type, enabled=False):
            for tile, hidden in _tiles(features, weight, bias):
                if len(left) != len(hidden):  # the first tile, and a shorter last one
                    left, right = (
                        hidden.new_empty(len(hidden), 2, width)
                        for width in hidden.shape[1:]
                    )
                    by_h = torch.empty_like(hidden)
                # The gradient by h is a product: by_scores q + weights by_mean.
                right[:, 0], right[:, 1], left[:, 1] = (
                    query[tile],
                    by_mean[tile],
                    weights[tile],
                )
                by_weights = torch.bmm(right[:, 1:], hidden.transpose(1, 2)).squeeze(1)
                by_weights -= (left[:, 1] * by_weights).sum(-1, keepdim=True)
                torch.mul(left[:, 1], by_weights, out=left[:, 0])
                torch.bmm(left[:, :1], hidden, out=to_query[tile].unsqueeze(1))
                if learns:
                    torch.bmm(left.transpose(1, 2), right, out=by_h)
                    _first_layer(
                        to_weight, to_bias, features[tile].flatten(0, 1), hidden, by_h
                    )
                if rows.shape[1]:
                    of_hidden, of_features = (
                        _chosen(hidden, rows[tile]),
                        _chosen(features[tile], rows[tile]),
                    )
                    slope = by_chosen[tile]
                    to_hidden.addmm_(of_hidden.view(len(hidden), -1).T, slope)
                    to_features.addmm_(of_features.view(len(hidden), -1).T, slope)
                    if learns:
                        by_c = torch.mm(slope, by_hidden.T).view_as(of_hidden)
                        _first_layer(to_weight, to_bias, of_features, of_hidden, by_c)
        return (
            None,
            None,
            None,
            to_query,
            None,
            to_weight,
            to_bias,
            to_hidden,
            to_features,
        )


def _tiles(
    features: Float[Tensor, "B J F"],
    weight: Float[Tensor, "F W"],
    bias: Float[Tensor, "W"],
) -> Iterator[tuple[slice, Float[Tensor, "b J W"]]]:
    """``h = relu(x W + b)``, so many samples at a time as fit into the cache; the next overwrites it."""
    samples, entities = features.shape[:2]
    # Another device has no such cache, and starts each operation too slowly for small ones.
    size = TILE * torch.get_num_threads() if features.is_cpu else samples
    buffer = features.new_empty(min(size, samples) * entities, weight.shape[1])
    for start in range(0, samples, max(size, 1)):
        tile = slice(start, min(start + size, samples))
        rows = features[tile].flatten(0, 1)
        hidden = torch.addmm(bias, rows, weight, out=buffer[: len(rows)]).relu_()
        yield tile, hidden.view(-1, entities, weight.shape[1])


def _chosen(
    entities: Float[Tensor, "b J D"], rows: Int[Tensor, "b k"]
) -> Float[Tensor, "bk D"]:
    return entities.flatten(0, 1).index_select(0, rows.flatten())


def _first_layer(
    to_weight: Float[Tensor, "F W"],
    to_bias: Float[Tensor, "W"],
    features: Float[Tensor, "R F"],
    hidden: Float[Tensor, "*R W"],
    by_hidden: Float[Tensor, "*R W"],
) -> None:
    """Add the first layer's gradient to ``to_weight`` and ``to_bias``; overwrites ``by_hidden``."""
    torch.ops.aten.threshold_backward.grad_input(
        by_hidden, hidden, 0, grad_input=by_hidden
    )  # relu's, in place
    flat = by_hidden.view(-1, by_hidden.shape[-1])
    to_weight.addmm_(features.T, flat)
    to_bias += flat.sum(0)


def masked_softmax(
    scores: Float[Tensor, "B J"], mask: Bool[Tensor, "B J"]
) -> Float[Tensor, "B J"]:
    """Softmax over the mask; exactly 0 outside of it, and everywhere in a row of which nothing is in the mask."""
    # Of a few columns; over as many rows it is several times as fast.
    columns, there = scores.T.contiguous(), mask.T.contiguous()
    # A finite floor: by -inf, samples without an entity would be NaN.
    return (
        torch.where(there, columns, torch.finfo(columns.dtype).min)
        .softmax(0)
        .mul_(there)
        .T
    )


@torch.no_grad()
def most_attended(weights: Float[Tensor, "B J"], count: int) -> Int[Tensor, "B k"]:
    """Places of the ``count`` greatest in each row, in descending order; of equals the first comes first.

    As a stable sort has it: attention saturates, and among exact zeros, those of absent entities too, place decides.
    """
    left, chosen = weights, []
    for _ in range(count):
        best = left.argmax(-1, keepdim=True)  # torch promises the first of equal maxima
        chosen.append(best)
        left = left.scatter(-1, best, -1.0)
    return torch.cat(chosen, -1)
