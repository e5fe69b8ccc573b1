"""A loss over more samples than memory has room for: the sum of the losses of microbatches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from marl_core.types import Loss


def sum_of_losses(
    parts: Iterable[Loss],
    parameters: Sequence[nn.Parameter],
) -> Loss:
    """The sum of losses of which only one at a time is kept in memory.

    A part's gradient is found at once and its graph is freed, so nothing is computed twice (as with
    checkpointing). The total has the right gradient by the parameters, but no higher derivative.

    Args:
        parts: the losses; each is computed when it is asked for.
        parameters: by which the gradients are found.

    Returns:
        Totals, metrics and gradients, each added up.
    """
    total: Tensor | None = None
    metrics: dict[str, Tensor] = {}
    gradients: list[Tensor] = []
    for part in parts:
        found = torch.autograd.grad(
            part.total, parameters, allow_unused=True, materialize_grads=True
        )
        value = part.total.detach()
        reported = {name: torch.as_tensor(x) for name, x in part.metrics.items()}
        if total is None:
            total = value.clone()
            metrics = reported
            gradients = [gradient.clone() for gradient in found]
            continue
        total += value
        metrics = {name: metrics[name] + reported[name] for name in metrics}
        for gradient, more in zip(gradients, found, strict=True):
            gradient += more
    assert total is not None, "a sum of no losses"
    return Loss(_with_gradients(total, parameters, gradients), metrics)


def _with_gradients(
    value: Tensor,
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[Tensor],
) -> Tensor:
    """A number with given gradients: a linear function of the parameters, moved to the number."""
    products = [(p * g).sum() for p, g in zip(parameters, gradients, strict=True)]
    linear = torch.stack(products).sum()
    return value + (linear - linear.detach())
