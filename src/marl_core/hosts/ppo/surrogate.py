"""The dual-clip PPO objective with an entropy bonus, on any set of cells.

Within a batch the ratio pi/pi_old depends only on what was observed and done. So where there are
few distinct observations, the sum over samples collapses to two tables: the summed positive and the
summed negative advantages of each *cell*, an action in a distinct observation. An epoch then costs
what the tables cost. A batch without such a table has one cell for each sample; the formula is the
same.

``P`` is the number of policies (distributions over actions) that are evaluated: one for each
distinct observation, or one for each sample. ``G`` is the number of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class ClipRange:
    """Bounds of the ratio pi/pi_old.

    Attributes:
        epsilon: the ratio is bounded below by 1 - epsilon and above by 1 + epsilon.
        dual: c of the dual clip (Ye et al. 2020), the upper bound for negative advantages.
    """

    epsilon: float
    dual: float


@dataclass(frozen=True)
class SurrogateCells:
    """What the objective needs of a batch.

    Attributes:
        advantages: for each cell the sum over its samples divided by the number of all samples;
            of positive advantages first, of negative ones second.
        shares: each cell's share of all samples, in the same two parts.
        old_log_policy: the logarithm of the probability of each cell's action before the update.
        entropy_weights: the weight of each policy's entropy.
        chosen: the action of each policy that is a cell; None: every action of every policy is one,
            or actions are numbers in a box.
    """

    advantages: Float[Tensor, "2 G"]
    shares: Float[Tensor, "2 G"]
    old_log_policy: Float[Tensor, "G"]
    entropy_weights: Float[Tensor, "P"]
    chosen: Int[Tensor, "1 P"] | None

    @classmethod
    def of_samples(
        cls,
        advantages: Float[Tensor, "G"],
        weights: Float[Tensor, "G"],
        old_log_policy: Float[Tensor, "G"],
        entropy_weights: Float[Tensor, "G"],
        chosen: Int[Tensor, "1 G"] | None,
    ) -> SurrogateCells:
        """A cell and a policy for every sample.

        Args:
            advantages: of the samples.
            weights: their shares: 1 over the number of samples, or 0 if a sample does not count.
            old_log_policy: the logarithm of the probability of what was done, before the update.
            entropy_weights: the weight of each policy's entropy.
            chosen: what was done; None where it is no number of an action.
        """
        shares = torch.stack([advantages >= 0, advantages < 0]) * weights
        return cls(
            shares * advantages,
            shares,
            old_log_policy,
            entropy_weights,
            chosen,
        )


def actions_first(log_policy: Float[Tensor, "*B N A"]) -> Float[Tensor, "A P"]:
    """The layout that the objective takes.

    A softmax over the last of few columns is not vectorised; with the actions first it is.

    Args:
        log_policy: ``[*B, N, A]``.
    """
    return log_policy.movedim(-1, 0).flatten(1)


def clipped_objective(
    log_policy: Float[Tensor, "A P"],
    cells: SurrogateCells,
    clip: ClipRange,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss to descend, and the share of samples inside the clip range.

    The loss is ``-E[A clip(ratio)] - sum_p entropy_weight_p H_p``. The ratio is bounded above by
    1 + epsilon for A > 0, and kept in [1 - epsilon, c] for A < 0; beyond a bound the gradient is 0.

    Args:
        log_policy: the logarithms of the P policies.
        cells: what the batch is.
        clip: the bounds.
    """
    chosen = log_policy
    if cells.chosen is not None:
        chosen = log_policy.gather(0, cells.chosen)
    surrogate, inside = clipped_surrogate(chosen.flatten(), cells, clip)
    entropy = -(log_policy.exp() * log_policy * cells.entropy_weights).sum()
    return -surrogate - entropy, inside


def clipped_surrogate(
    chosen: Float[Tensor, "G"],
    cells: SurrogateCells,
    clip: ClipRange,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """``E[A clip(ratio)]``, and the share of samples inside the clip range.

    Args:
        chosen: the logarithm of the probability of each cell's action, or of its density.
        cells: what the batch is.
        clip: the bounds.
    """
    # This bound lies far outside any clip range. It keeps 0 * inf out of cells without a sample.
    change = (chosen - cells.old_log_policy).clamp(max=20.0)
    ratio = change.exp()
    for_gains = ratio.clamp(max=1 + clip.epsilon)
    for_losses = ratio.clamp(
        min=1 - clip.epsilon,
        max=clip.dual,
    )
    gained = cells.advantages[0] * for_gains
    lost = cells.advantages[1] * for_losses
    surrogate = (gained + lost).sum()
    inside_gains = cells.shares[0] * (for_gains == ratio)
    inside_losses = cells.shares[1] * (for_losses == ratio)
    inside = (inside_gains + inside_losses).sum()
    return surrogate, inside.detach()
