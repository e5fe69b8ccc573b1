"""Running normalisation of entity features, by statistics that are updated once an update."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.learning import Ranks

#: Bounds of the running variance, and of what is given out (as in the authors' program).
LEAST_VARIANCE, GREATEST_VARIANCE, BOUND = 0.01, 1000.0, 10.0


@final
class RunningNorm(nn.Module):
    """``clip((x - mean) / sqrt(variance + 1e-8), -10, 10)``, feature by feature.

    A feature of which only -1, 0 and 1 have ever been seen is taken for a one-hot or a flag and left as it is. Looking
    changes nothing: only ``update`` does, by what ``moments`` has found on this and the other ranks.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor
    one_hot: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("one_hot", torch.ones(features, dtype=torch.bool))

    def forward(
        self, rows: Float[Tensor, "*B F"], mask: Bool[Tensor, "*B"]
    ) -> Float[Tensor, "*B F"]:
        """Normalised rows; those that the mask leaves out become 0."""
        # In place, but for the first: these rows are many, and are not needed as they were.
        normalised = (
            rows.sub(self.mean)
            .mul_((self.variance + 1e-8).rsqrt())
            .clamp_(-BOUND, BOUND)
        )
        return normalised.masked_fill_(~mask.unsqueeze(-1), 0.0)

    def moments(
        self, rows: Float[Tensor, "*B F"], mask: Bool[Tensor, "*B"]
    ) -> Float[Tensor, "4 F"]:
        """Sums over the rows in the mask, that may be added up: how many, x - mean, its square, x not in {-1, 0, 1}."""
        kept = mask.unsqueeze(-1)
        # About the running mean, and in double precision: sums of squares lose little by cancellation then.
        off = torch.where(kept, rows.double() - self.mean.double(), 0.0)
        other = kept & (rows != 0) & (rows.abs() != 1)
        leading = tuple(range(rows.dim() - 1))
        count = mask.sum().double().expand(rows.shape[-1])
        return torch.stack(
            [
                count,
                off.sum(leading),
                off.square().sum(leading),
                other.sum(leading).double(),
            ]
        )

    @torch.no_grad()
    def update(self, moments: Float[Tensor, "4 F"], ranks: Ranks) -> None:
        """Merge the rows of all ranks, of which ``moments`` are the sums, into the statistics."""
        new, sums, squares, other = (ranks.mean(moments) * ranks.count).unbind()
        mean, variance, old = (
            self.mean.double(),
            self.variance.double(),
            self.count.double(),
        )
        delta = sums / new.clamp(min=1)
        new_variance = squares / new.clamp(min=1) - delta.square()
        total = (old + new).clamp(min=1)
        merged = (
            variance * old + new_variance * new + delta.square() * old * new / total
        ) / total
        self.one_hot &= other == 0
        held = self.one_hot | (new == 0)
        self.mean.copy_(torch.where(held, mean, mean + delta * new / total))
        # The bounded value is what is carried on.
        self.variance.copy_(
            torch.where(held, variance, merged.clamp(LEAST_VARIANCE, GREATEST_VARIANCE))
        )
        self.count += new[0].round().long()
