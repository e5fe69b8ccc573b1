"""Attention of one query over a few entities, and the choice of the most attended."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def attend(
    query: Float[Tensor, "B W"], hidden: Float[Tensor, "B J W"], mask: Bool[Tensor, "B J"]
) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B J"]]:
    """``a = softmax(h q)`` over the entities in the mask: the mean ``sum_j a_j h_j``, and a.

    Without an entity in the mask both are 0. The weights are for choosing and pass no gradient.
    """
    mean, weights = _Attend.apply(query, hidden, mask)  # type: ignore[no-untyped-call]
    return mean, weights


class _Attend(torch.autograd.Function):
    """Autograd's own gradient would write a tensor of the size of ``hidden`` twice and add up; this is one product."""

    @staticmethod
    def forward(
        ctx: Any, query: Float[Tensor, "B W"], hidden: Float[Tensor, "B J W"], mask: Bool[Tensor, "B J"]
    ) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B J"]]:
        """Mean and weights."""
        scores = torch.bmm(query.unsqueeze(1), hidden.transpose(1, 2)).squeeze(1)
        weights = masked_softmax(scores, mask).to(hidden.dtype)  # under mixed precision a softmax is of another type
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(query, hidden, weights)
        return torch.bmm(weights.unsqueeze(1), hidden).squeeze(1), weights

    @staticmethod
    def backward(ctx: Any, by_mean: Float[Tensor, "B W"], _: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """The gradients by query and entities."""
        query, hidden, weights = ctx.saved_tensors
        by_weights = torch.bmm(by_mean.unsqueeze(1), hidden.transpose(1, 2)).squeeze(1)
        by_scores = weights * (by_weights - (weights * by_weights).sum(-1, keepdim=True))
        by_query = torch.bmm(by_scores.unsqueeze(1), hidden).squeeze(1) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return by_query, None, None
        left, right = torch.stack([weights, by_scores], -1), torch.stack([by_mean, query], 1)
        return by_query, torch.bmm(left, right), None


def masked_softmax(scores: Float[Tensor, "B J"], mask: Bool[Tensor, "B J"]) -> Float[Tensor, "B J"]:
    """Softmax over the mask; exactly 0 outside of it, and everywhere in a row of which nothing is in the mask."""
    # A finite floor: by -inf, rows without an entity would be NaN.
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)


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
