"""The dual-clip PPO objective with an entropy bonus, on any set of (row, action) cells.

Within a batch the ratio pi/pi_old depends only on what was observed and done. So where there are few distinct
observations, the sum over samples collapses to two tables, the summed positive and the summed negative advantages of
each cell, and an update pass costs what the tables cost. A batch without such a table has one cell for each sample;
the formula is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class ClipRange:
    """Bounds of the ratio pi/pi_old: below 1-epsilon and above 1+epsilon, and the dual clip's c (Ye et al. 2020)."""

    epsilon: float
    dual: float

    def bounds(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds for positive (first) and negative (second) advantages, shapes ``[2, 1]``."""
        low = torch.tensor([[0.0], [1 - self.epsilon]], device=device)
        return low, torch.tensor([[1 + self.epsilon], [self.dual]], device=device)


@dataclass(frozen=True)
class SurrogateCells:
    """What the objective needs of a batch, for G cells, positive advantages first, negative second.

    ``advantages`` are sums over a cell's samples divided by the number of samples; ``shares`` are the shares of the
    samples. ``chosen`` picks each cell's action from a row of the log-policy, ``[A, rows]``; None: all are cells.
    """

    advantages: Float[Tensor, "2 G"]
    shares: Float[Tensor, "2 G"]
    old_log_policy: Float[Tensor, "G"]
    entropy_weights: Float[Tensor, "rows"]
    chosen: Int[Tensor, "1 rows"] | None


def clipped_objective(
    log_policy: Float[Tensor, "A rows"], cells: SurrogateCells, clip: ClipRange
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss to descend, and the share of samples inside the clip range.

    The loss is ``-E[A clip(ratio)] - sum_rows entropy_weight H``, where the ratio is bounded above by 1+epsilon for
    A > 0 and kept in [1-epsilon, c] for A < 0; beyond a bound the gradient is 0.
    """
    low, high = clip.bounds(log_policy.device)
    loss, inside = _ClippedObjective.apply(  # type: ignore[no-untyped-call]
        log_policy, cells.chosen, cells.old_log_policy, cells.advantages, cells.shares, cells.entropy_weights, low, high
    )
    return loss, inside


class _ClippedObjective(torch.autograd.Function):
    """Value and gradient in closed form: a dozen small operations in place of autograd's fifty."""

    @staticmethod
    def forward(
        ctx: Any,
        log_policy: Tensor,
        chosen: Tensor | None,
        old: Tensor,
        advantages: Tensor,
        shares: Tensor,
        entropy_weights: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> tuple[Tensor, Tensor]:
        new = (log_policy if chosen is None else log_policy.gather(0, chosen)).reshape(-1)
        # The bound lies far outside any clip range; it keeps 0 * inf out of cells that nobody visited.
        ratio = (new - old).clamp_(max=20.0).exp_()
        clipped = torch.maximum(torch.minimum(ratio, high), low)
        inside = (clipped == ratio).to(ratio.dtype)
        surrogate = torch.dot(advantages.view(-1), clipped.view(-1))
        inside_share = torch.dot(shares.view(-1), inside.view(-1))
        # d(A ratio)/d(log pi) = A ratio where not clipped.
        slope = inside.mul_(advantages).sum(0).mul_(ratio)
        # -H = sum p log p; its derivative by log p is p (log p + 1).
        policy = log_policy.exp()
        negative_entropy = (policy * log_policy).mul_(entropy_weights)
        gradient = negative_entropy + policy.mul_(entropy_weights)
        if chosen is None:
            gradient -= slope.view_as(gradient)
        else:
            gradient.scatter_add_(0, chosen, -slope.view_as(chosen))
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(inside_share)
        return negative_entropy.sum() - surrogate, inside_share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (own,) = ctx.saved_tensors
        return own * gradient, None, None, None, None, None, None, None
