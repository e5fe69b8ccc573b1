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

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from marl_core.hosts.conc4hist.gradients import Gradients, Scratch
from marl_core.hosts.conc4hist.outputs import Outputs
from marl_core.hosts.conc4hist.tiles import Inputs, tiles


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
        *numbers: Tensor,
    ) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B J"], Float[Tensor, "B V"]]:
        """Mean, attention, and what is read from the chosen entities.

        ``numbers`` are the fields of ``Inputs``: autograd wants its tensors one by one.
        """
        inputs = Inputs(*numbers)
        found = Outputs.empty(inputs, count)
        with torch.autocast(mask.device.type, enabled=False):
            for tile in tiles(inputs):
                found.attend(tile, inputs, mask)
                if count:
                    found.read(tile, inputs, first)
        ctx.mark_non_differentiable(found.weights)
        ctx.save_for_backward(
            found.weights,
            found.places,
            *inputs,
        )
        return found.mean, found.weights, found.chosen

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        by_mean: Float[Tensor, "B W"],
        _: Tensor,
        by_chosen: Float[Tensor, "B V"],
    ) -> tuple[Tensor | None, ...]:
        """The gradients by the query and by all parameters."""
        weights, places, *numbers = ctx.saved_tensors
        inputs = Inputs(*numbers)
        # Counted through the arguments of forward: W and b.
        first_layer = ctx.needs_input_grad[5] or ctx.needs_input_grad[6]
        found = Gradients.zeros(inputs, first_layer=first_layer)
        scratch: Scratch | None = None
        with torch.autocast(by_mean.device.type, enabled=False):
            for tile in tiles(inputs):
                if scratch is None or not scratch.fits(tile):
                    scratch = Scratch(tile.hidden)
                some = tile.samples
                scratch.attention[:] = weights[some]
                scratch.query[:] = inputs.query[some]
                scratch.by_mean[:] = by_mean[some]
                found.add_attention(tile, scratch)
                if places.shape[1]:
                    found.add_readout(
                        tile,
                        inputs,
                        places[some],
                        by_chosen[some],
                    )
        by_query = found.query
        by_first_layer = (found.weight, found.bias)
        by_readout = (found.by_hidden, found.by_features)
        return None, None, None, by_query, None, *by_first_layer, *by_readout
