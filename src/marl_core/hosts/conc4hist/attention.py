"""Attention of one query over a few entities, and the choice of the most attended.

``attend`` says what is computed::

    h = relu(x W + b)              # the first layer, of every entity
    a = softmax(h q)               # over the entities that are there
    mean = sum_j a_j h_j
    chosen = h_c(1), ..., h_c(k)   # c(i): the i-th most attended entity

``h`` is the largest tensor of all, yet quickly computed from few features. So it is never stored
as a whole. It is made for some samples at a time, is read while the processor's cache holds it, and
is made again on the way back. There are two ways to do that: operations of PyTorch on a tile of
samples, and a native kernel for one sample after the other.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from marl_core.hosts.conc4hist.choice import masked_softmax, most_attended
from marl_core.hosts.conc4hist.gradients import Gradients, find_gradients
from marl_core.hosts.conc4hist.native import NativeAttention
from marl_core.hosts.conc4hist.outputs import Outputs, find_outputs
from marl_core.hosts.conc4hist.tiles import Inputs

#: What computes: operations of PyTorch, or compiled code of our own.
Kernels = Literal["torch", "native"]


class Attended(NamedTuple):
    """What attention gives. Where no entity is there, mean and attention are 0.

    Attributes:
        mean: ``sum_j a_j h_j``.
        weights: the attention a.
        chosen: h of the k most attended entities, the most attended first.
        places: which entities these are.
    """

    mean: Float[Tensor, "B W"]
    weights: Float[Tensor, "B J"]
    chosen: Float[Tensor, "B k W"]
    places: Int[Tensor, "B k"]


def attend(
    query: Float[Tensor, "B W"],
    rows: Float[Tensor, "rows F"],
    index: Int[Tensor, "B J"],
    weight: Float[Tensor, "F W"],
    bias: Float[Tensor, "W"],
    count: int = 0,
    kernels: Kernels = "torch",
) -> Attended:
    """Attend to J entities in each of B samples.

    Attention weights and the choice pass no gradient on, nor do the features. Under mixed precision
    too, everything is computed in the precision of the parameters: scores may be large, and
    gradients are summed over many samples.

    Args:
        query: q.
        rows: x of every entity. The last row is zeros; it stands where no entity is.
        index: the rows of each sample's entities.
        weight: W of the first layer.
        bias: b of the first layer.
        count: k, how many of the most attended are chosen.
        kernels: what computes. Native kernels work on CPUs in single precision; elsewhere the
            operations of PyTorch do.
    """
    if torch.compiler.is_exporting():
        return _attend_plainly(query, rows, index, weight, bias, count)
    native = kernels == "native" and rows.is_cpu and weight.dtype == torch.float32
    numbers = [x.to(weight.dtype).contiguous() for x in (query, rows, weight, bias)]
    own = index.int().contiguous()
    found = _Attend.apply(own, count, native, *numbers)  # type: ignore[no-untyped-call]
    return Attended(*found)


def _attend_plainly(
    query: Float[Tensor, "B W"],
    rows: Float[Tensor, "rows F"],
    index: Int[Tensor, "B J"],
    weight: Float[Tensor, "F W"],
    bias: Float[Tensor, "W"],
    count: int,
) -> Attended:
    """The equations as they stand, for exported programs: without tiles and without a way back."""
    features = rows.to(weight.dtype).index_select(0, index.flatten())
    hidden = torch.addmm(bias, features, weight).relu()
    hidden = hidden.view(*index.shape, weight.shape[1])
    scores = torch.einsum("bw,bjw->bj", query.to(weight.dtype), hidden)
    attention = masked_softmax(scores, index != rows.shape[0] - 1)
    mean = torch.einsum("bj,bjw->bw", attention, hidden)
    if count == 0:
        nothing = index.new_empty(index.shape[0], 0)
        return Attended(mean, attention, hidden[:, :0], nothing)
    places = most_attended(attention, count)
    wanted = places.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
    return Attended(mean, attention, hidden.gather(1, wanted), places)


class _Attend(torch.autograd.Function):
    """The arithmetic of ``attend``, forward and back."""

    @staticmethod
    def forward(
        ctx: Any,
        index: Int[Tensor, "B J"],
        count: int,
        native: bool,
        *numbers: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, attention, the chosen and their places.

        ``numbers`` are the fields of ``Inputs``: autograd wants its tensors one by one.
        """
        inputs = Inputs(*numbers)
        found = Outputs.empty(inputs, index, count)
        with torch.autocast(index.device.type, enabled=False):
            if native:
                NativeAttention.of(inputs).outputs(inputs, index, found)
            else:
                find_outputs(inputs, index, found)
        ctx.mark_non_differentiable(found.weights, found.places)
        ctx.native = native
        ctx.save_for_backward(
            index,
            found.weights,
            found.places,
            *inputs,
        )
        return found.mean, found.weights, found.chosen, found.places

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        by_mean: Float[Tensor, "B W"],
        _: Tensor,
        by_chosen: Float[Tensor, "B k W"],
        __: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """The gradients by the query and by the parameters."""
        index, weights, places, *numbers = ctx.saved_tensors
        inputs = Inputs(*numbers)
        # Counted through the arguments of forward: W and b.
        first_layer = ctx.needs_input_grad[5] or ctx.needs_input_grad[6]
        found = Gradients.zeros(inputs, by_mean, by_chosen, first_layer=first_layer)
        with torch.autocast(by_mean.device.type, enabled=False):
            if ctx.native:
                kernel = NativeAttention.of(inputs)
                kernel.gradients(inputs, index, weights, places, found)
            else:
                find_gradients(inputs, index, weights, places, found)
        return None, None, None, found.query, None, found.weight, found.bias
