"""A loss over more samples than memory has room for: which samples, in which portions, and their sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from marl_core.types import Loss


@dataclass(frozen=True)
class ActingSamples:
    """The samples of living agents in R rows of N, so that networks made for teams can take them.

    ``index`` is the sample's place in a flattened ``[T, E, N]``; where ``real`` is not set it means nothing, though it
    is in range: there are a few more places than samples.
    """

    index: Int[Tensor, "R N"]
    real: Bool[Tensor, "R N"]

    @classmethod
    def of(cls, acting: Bool[Tensor, "T E N"], *, by_agent: bool) -> ActingSamples:
        """Those where ``acting``. ``by_agent``: column i holds agent i's alone, as heads of its own need it."""
        agents = acting.shape[-1]
        if by_agent:
            flat = acting.flatten(0, 1)
            rows = int(flat.sum(0).max())
            order = torch.argsort(flat.byte(), dim=0, descending=True, stable=True)[
                :rows
            ]
            column = torch.arange(agents, device=acting.device)
            return cls(order * agents + column, flat.gather(0, order))
        samples = acting.flatten().nonzero().squeeze(-1)
        rest = -len(samples) % agents
        real = torch.arange(len(samples) + rest, device=acting.device) < len(samples)
        return cls(
            nn.functional.pad(samples, (0, rest)).view(-1, agents),
            real.view(-1, agents),
        )

    def dealt(self, hands: int) -> tuple[ActingSamples, list[slice]]:
        """The rows dealt out in turn to so many hands, one hand after the other; and the rows of each.

        Hands are equally large, and of one row at least: on several ranks all have as many.
        """
        size = max(1, -(-len(self.index) // hands))
        padding = (0, 0, 0, hands * size - len(self.index))
        index, real = (
            nn.functional.pad(self.index, padding),
            nn.functional.pad(self.real, padding),
        )
        order = (
            torch.arange(hands * size, device=index.device)
            .view(size, hands)
            .T.flatten()
        )
        return ActingSamples(index[order], real[order]), [
            slice(i * size, (i + 1) * size) for i in range(hands)
        ]

    def take(self, values: Tensor) -> Tensor:
        """The samples' entries of ``[T, E, N, ...]`` as ``[R, N, ...]``."""
        return (
            values.flatten(0, 2)
            .index_select(0, self.index.flatten())
            .unflatten(0, self.index.shape)
        )

    def put(
        self, values: Float[Tensor, "R N"], shape: torch.Size
    ) -> Float[Tensor, "T E N"]:
        """The samples' values at their places, 0 elsewhere."""
        spread = values.new_zeros(shape)
        spread.view(-1)[self.index[self.real]] = values[self.real]
        return spread

    def portions(self, samples: int, of: slice | None = None) -> list[slice]:
        """All rows, or a slice, in portions of nearly equal size: of at most ``samples`` samples, or of one row."""
        whole = range(len(self.index))[of or slice(None)]
        count = max(1, -(-len(whole) // max(1, samples // self.index.shape[1])))
        ends = [whole.start + len(whole) * i // count for i in range(count + 1)]
        return [slice(start, end) for start, end in pairwise(ends)]


def sum_of_losses(parts: Iterable[Loss], parameters: Sequence[nn.Parameter]) -> Loss:
    """The sum of losses of which only one at a time is kept in memory; totals, metrics and gradients are added up.

    A part's gradient is found at once and its graph let go, so nothing is computed twice (as with checkpointing). The
    total has the right gradient by the parameters, but no higher derivative.
    """
    total: Tensor | None = None
    metrics: dict[str, Tensor] = {}
    gradients: list[Tensor] = []
    for part in parts:
        found = torch.autograd.grad(
            part.total, parameters, allow_unused=True, materialize_grads=True
        )
        value = part.total.detach()
        reported = {
            name: torch.as_tensor(metric) for name, metric in part.metrics.items()
        }
        if total is None:
            total, metrics, gradients = (
                value.clone(),
                reported,
                [gradient.clone() for gradient in found],
            )
            continue
        total += value
        metrics = {name: metrics[name] + reported[name] for name in metrics}
        for gradient, more in zip(gradients, found, strict=True):
            gradient += more
    assert total is not None, "a sum of no losses"
    # A linear function of the parameters with just these slopes, moved to the value.
    linear = torch.stack(
        [(p * g).sum() for p, g in zip(parameters, gradients, strict=True)]
    ).sum()
    return Loss(total + (linear - linear.detach()), metrics)
