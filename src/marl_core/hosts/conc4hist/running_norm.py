"""Running normalisation of entity features, by statistics that change once an update."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.learning import Ranks

#: Bounds of the running variance (as in the authors' program).
MIN_VARIANCE = 0.01
MAX_VARIANCE = 1000.0
#: Bound of normalised features (as in the authors' program).
BOUND = 10.0


@final
class RunningNorm(nn.Module):
    """``clip((x - mean) / sqrt(variance + 1e-8), -10, 10)``, feature by feature.

    A feature of which only -1, 0 and 1 have ever been seen is taken for a one-hot or a flag and
    left as it is. Normalising changes no statistics; only ``update`` does, by what ``moments`` has
    found on this and the other ranks.

    Args:
        features: F.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor
    one_hot: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer(
            "count",
            torch.zeros((), dtype=torch.int64),
        )
        self.register_buffer(
            "one_hot",
            torch.ones(features, dtype=torch.bool),
        )

    def forward(self, rows: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
        """Normalised rows.

        Args:
            rows: of F features each.
        """
        scale = (self.variance + 1e-8).rsqrt()
        # In place after the first operation: these rows are many.
        return rows.sub(self.mean).mul_(scale).clamp_(-BOUND, BOUND)

    def moments(
        self,
        rows: Float[Tensor, "rows F"],
        times: Float[Tensor, "rows"],
    ) -> Float[Tensor, "4 F"]:
        """Sums over rows, which may be added up for parts of a batch.

        Args:
            rows: of F features each.
            times: how often each row counts.

        Returns:
            For each feature: how many rows, the sum of x - mean, the sum of its square, and how
            often x was none of -1, 0 and 1.
        """
        kept = (times > 0).nonzero().squeeze(-1)
        rows = rows.index_select(0, kept)
        # Taken about the running mean and in double precision, sums of squares lose little by
        # cancellation.
        weight = times.index_select(0, kept).double()
        off = rows.double() - self.mean.double()
        sums = weight @ off
        squares = weight @ off.square_()
        other = weight @ ((rows != 0) & (rows.abs() != 1)).double()
        count = weight.sum().expand_as(sums)
        return torch.stack([count, sums, squares, other])

    @torch.no_grad()
    def update(
        self,
        moments: Float[Tensor, "4 F"],
        ranks: Ranks,
    ) -> None:
        """Merge the rows of all ranks into the statistics.

        Args:
            moments: the sums over this rank's rows.
            ranks: the processes that learn together.
        """
        new, sums, squares, other = (ranks.mean(moments) * ranks.count).unbind()
        mean = self.mean.double()
        variance = self.variance.double()
        old = self.count.double()
        delta = sums / new.clamp(min=1)
        new_variance = squares / new.clamp(min=1) - delta.square()
        total = (old + new).clamp(min=1)
        between = delta.square() * old * new / total
        merged = (variance * old + new_variance * new + between) / total
        self.one_hot &= other == 0
        held = self.one_hot | (new == 0)
        self.mean.copy_(
            torch.where(
                held,
                mean,
                mean + delta * new / total,
            )
        )
        # The bounded variance is what the next update starts from.
        bounded = merged.clamp(MIN_VARIANCE, MAX_VARIANCE)
        self.variance.copy_(torch.where(held, variance, bounded))
        self.count += new[0].round().long()
