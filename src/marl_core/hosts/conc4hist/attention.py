"""Attention of one query over a few entities, and the choice of the most attended.

``attend`` says what is computed::

    h = relu(x W + b)              # the first layer, of every entity
    a = softmax(h q)               # over the entities that are there
    mean = sum_j a_j h_j
    chosen = sum_i h_c(i) A_i + x_c(i) B_i    # c(i): the i-th most attended entity

``h`` is the largest tensor of all, yet quickly computed from few features. So it is never stored
as a whole. It is made for a tile of samples at a time, is read while the processor's cache holds
it, and is made again on the way back. On a CPU this saves the transfer to memory and back;
everywhere it saves the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from marl_core.hosts.conc4hist.choice import masked_softmax, most_attended
from marl_core.hosts.conc4hist.gradients import Gradients, Scratch, of_entities

#: How many samples one core works on at a time. The hidden layer of 512 samples of 12 entities, 48
#: wide, takes 1.2 MB, which the second-level cache holds.
TILE = 512


@dataclass(frozen=True)
class Readout:
    """What is read from the most attended entities: ``sum_i h_c(i) A_i + x_c(i) B_i``.

    Attributes:
        count: k, how many entities are chosen.
        first: entities before this one are not for choice.
        by_hidden: the A_i, one below the other.
        by_features: the B_i, one below the other.
    """

    count: int
    first: int
    by_hidden: Float[Tensor, "kW V"]
    by_features: Float[Tensor, "kF V"]


class Attended(NamedTuple):
    """What attention gives. Where no entity is there, mean and attention are 0.

    Attributes:
        mean: ``sum_j a_j h_j``.
        weights: the attention a.
        chosen: what the readout gives; V = 0 without one.
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
    """Attend to J entities in each of B samples.

    Attention weights and the choice pass no gradient on, nor do the features. Under mixed precision
    too, everything is computed in the precision of the parameters: scores may be large, and
    gradients are summed over many tiles.

    Args:
        query: q.
        features: x.
        mask: which entities are there.
        weight: W of the first layer.
        bias: b of the first layer.
        readout: what is read from the most attended; None: nothing.
    """
    if readout is None:
        readout = Readout(
            0,
            0,
            weight.new_empty(0, 0),
            weight.new_empty(0, 0),
        )
    numbers = (query, features, weight, bias, readout.by_hidden, readout.by_features)
    inputs = [x.to(weight.dtype) for x in numbers]
    settings = (mask, readout.count, readout.first)
    found = _Attend.apply(*settings, *inputs)  # type: ignore[no-untyped-call]
    return Attended(*found)


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
        """Mean, attention, and what is read from the chosen entities."""
        samples = len(mask)
        mean = torch.empty_like(query)
        weights = query.new_empty(mask.shape)
        chosen = query.new_empty(samples, by_hidden.shape[1])
        # The chosen entities, counted through all entities of their tile.
        places = torch.empty(samples, count, dtype=torch.int64, device=mask.device)
        with torch.autocast(query.device.type, enabled=False):
            for tile, hidden in _tiles(features, weight, bias):
                attention = weights[tile]
                attention.copy_(_softmax(query[tile], hidden, mask[tile]))
                torch.bmm(
                    attention.unsqueeze(1),
                    hidden,
                    out=mean[tile].unsqueeze(1),
                )
                if not count:
                    continue
                _choose(attention, count, first, out=places[tile])
                best = of_entities(hidden, places[tile]).view(len(hidden), -1)
                torch.mm(best, by_hidden, out=chosen[tile])
                best = of_entities(features[tile], places[tile]).view(len(hidden), -1)
                chosen[tile].addmm_(best, by_features)
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(
            query,
            features,
            weights,
            weight,
            bias,
            places,
            by_hidden,
            by_features,
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
        """The gradients by the query and by all parameters.

        ``by_x`` is the gradient of the loss by x, which comes from outside or is found on the way.
        """
        query, features, weights, weight, bias, places, by_hidden, by_features = (
            ctx.saved_tensors
        )
        first_layer_learns = ctx.needs_input_grad[5] or ctx.needs_input_grad[6]
        found = Gradients.zeros(query, weight, bias, by_hidden, by_features)
        scratch: Scratch | None = None
        with torch.autocast(query.device.type, enabled=False):
            for tile, hidden in _tiles(features, weight, bias):
                # A new one for the first tile, and for a last one that is shorter.
                if scratch is None or not scratch.fits(hidden):
                    scratch = Scratch(hidden)
                scratch.attention[:] = weights[tile]
                scratch.query[:] = query[tile]
                scratch.by_mean[:] = by_mean[tile]
                scratch.find_by_scores(hidden)
                found.add_query(tile, scratch, hidden)
                if first_layer_learns:
                    by_h = scratch.find_by_hidden()
                    found.add_first_layer(features[tile].flatten(0, 1), hidden, by_h)
                if places.shape[1]:
                    slope = by_chosen[tile]
                    best = of_entities(hidden, places[tile])
                    best_features = of_entities(features[tile], places[tile])
                    found.add_readout(best, best_features, slope)
                    if first_layer_learns:
                        by_best = torch.mm(slope, by_hidden.T).view_as(best)
                        found.add_first_layer(best_features, best, by_best)
        return (
            None,
            None,
            None,
            found.query,
            None,
            found.weight,
            found.bias,
            found.by_hidden,
            found.by_features,
        )


def _tiles(
    features: Float[Tensor, "B J F"],
    weight: Float[Tensor, "F W"],
    bias: Float[Tensor, "W"],
) -> Iterator[tuple[slice, Float[Tensor, "b J W"]]]:
    """``h = relu(x W + b)`` of as many samples at a time as fit into the cache.

    Yields which samples these are, and their h, which the next tile overwrites.
    """
    samples, entities = features.shape[:2]
    # Another device has no such cache, and starts each operation too slowly for small ones.
    size = TILE * torch.get_num_threads() if features.is_cpu else samples
    buffer = features.new_empty(
        min(size, samples) * entities,
        weight.shape[1],
    )
    for start in range(0, samples, max(size, 1)):
        tile = slice(start, min(start + size, samples))
        rows = features[tile].flatten(0, 1)
        hidden = torch.addmm(
            bias,
            rows,
            weight,
            out=buffer[: len(rows)],
        ).relu_()
        yield tile, hidden.view(-1, entities, weight.shape[1])


def _softmax(
    query: Float[Tensor, "b W"],
    hidden: Float[Tensor, "b J W"],
    mask: Bool[Tensor, "b J"],
) -> Float[Tensor, "b J"]:
    scores = torch.bmm(query.unsqueeze(1), hidden.transpose(1, 2)).squeeze(1)
    return masked_softmax(scores, mask)


def _choose(
    attention: Float[Tensor, "b J"],
    count: int,
    first: int,
    out: Int[Tensor, "b k"],
) -> None:
    """The most attended entities from ``first`` on, counted through all entities of the tile."""
    starts = torch.arange(
        first,
        attention.numel(),
        attention.shape[1],
        device=attention.device,
    )
    best = most_attended(attention[:, first:], count)
    torch.add(best, starts.unsqueeze(1), out=out)
