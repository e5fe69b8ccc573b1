"""The dual-clip PPO objective with an entropy bonus, on any set of (row, action) cells.

Within a batch the ratio pi/pi_old depends only on what was observed and done. So where there are few distinct
observations, the sum over samples collapses to two tables, the summed positive and the summed negative advantages of
each cell, and an update pass costs what the tables cost. A batch without such a table has one cell for each sample;
the formula is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class ClipRange:
    """Bounds of the ratio pi/pi_old: below 1-epsilon and above 1+epsilon, and the dual clip's c (Ye et al. 2020)."""

    epsilon: float
    dual: float


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

    @classmethod
    def of_samples(
        cls,
        advantages: Float[Tensor, "G"],
        weights: Float[Tensor, "G"],
        old_log_policy: Float[Tensor, "G"],
        entropy_weights: Float[Tensor, "G"],
        chosen: Int[Tensor, "1 G"],
    ) -> SurrogateCells:
        """A cell and a row for every sample. ``weights`` are the samples' shares: 1 over their number, or 0."""
        shares = torch.stack([advantages >= 0, advantages < 0]) * weights
        return cls(shares * advantages, shares, old_log_policy, entropy_weights, chosen)


def actions_first(log_policy: Float[Tensor, "*B N A"]) -> Float[Tensor, "A rows"]:
    """The layout that the objective takes."""
    return log_policy.movedim(-1, 0).flatten(1)


def clipped_objective(
    log_policy: Float[Tensor, "A rows"], cells: SurrogateCells, clip: ClipRange
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss to descend, and the share of samples inside the clip range.

    The loss is ``-E[A clip(ratio)] - sum_rows entropy_weight H``, where the ratio is bounded above by 1+epsilon for
    A > 0 and kept in [1-epsilon, c] for A < 0; beyond a bound the gradient is 0.
    """
    chosen = log_policy if cells.chosen is None else log_policy.gather(0, cells.chosen)
    # The bound lies far outside any clip range; it keeps 0 * inf out of cells that nobody visited.
    ratio = (chosen.flatten() - cells.old_log_policy).clamp(max=20.0).exp()
    for_gains = ratio.clamp(max=1 + clip.epsilon)
    for_losses = ratio.clamp(min=1 - clip.epsilon, max=clip.dual)
    surrogate = (
        cells.advantages[0] * for_gains + cells.advantages[1] * for_losses
    ).sum()
    inside = (
        cells.shares[0] * (for_gains == ratio) + cells.shares[1] * (for_losses == ratio)
    ).sum()
    entropy = -(log_policy.exp() * log_policy * cells.entropy_weights).sum()
    return -surrogate - entropy, inside.detach()
