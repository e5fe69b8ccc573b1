"""What all epochs of a PPO update share: the cells of the objective, and the targets of the value.

There are two ways to the same loss: an entry for every sample, or sums over the samples that saw
and did the same. The second is much cheaper where there is a table of distinct observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.hosts.ppo.advantages import AdvantageStatistics
from marl_core.hosts.ppo.surrogate import SurrogateCells
from marl_core.observation_table import DistinctObservations


@dataclass(frozen=True)
class Batch:
    """What all epochs of an update share. ``P``: the number of values and of policies.

    Attributes:
        cells: what the policy's objective needs.
        value_weights: the share of the samples that each value is of.
        value_targets: what each value should be.
        value_floor: the part of the mean squared error that no values can avoid, because samples
            that share a value have different targets.
    """

    cells: SurrogateCells
    value_weights: Float[Tensor, "P"]
    value_targets: Float[Tensor, "P"]
    value_floor: Float[Tensor, ""]


@dataclass(frozen=True)
class Evaluated:
    """A rollout, and what is known of its samples before the first epoch.

    Attributes:
        distinct: what was observed.
        advantages: of all samples.
        statistics: over the samples that count.
        weights: the share of each sample: 1 over the number of samples, or 0 where nobody acted.
        old_log_policy: the logarithms of the policies.
        entropy_coefficient: c_H of Eq. 1.
    """

    distinct: DistinctObservations
    advantages: Float[Tensor, "T E N"]
    statistics: AdvantageStatistics
    weights: Float[Tensor, "T E N"]
    old_log_policy: Float[Tensor, "A P"]
    entropy_coefficient: float


def sample_batch(
    known: Evaluated,
    values: Float[Tensor, "T E N"],
) -> Batch:
    """A cell and a value for every sample.

    Args:
        known: what is known before the first epoch.
        values: what the critic says of each sample.
    """
    chosen = known.distinct.rollout.actions.view(1, -1)
    weights = known.weights.flatten()
    cells = SurrogateCells.of_samples(
        known.statistics.normalise(known.advantages).flatten(),
        weights,
        known.old_log_policy.gather(0, chosen).squeeze(0),
        known.entropy_coefficient * weights,
        chosen,
    )
    targets = (known.advantages + values).flatten()
    return Batch(
        cells,
        weights,
        targets,
        weights.new_zeros(()),
    )


def table_batch(
    known: Evaluated,
    values: Float[Tensor, "P"],
) -> Batch:
    """A value for every distinct observation, and a cell for every action in it.

    What they hold are sums over the samples that saw and did the same.

    Args:
        known: what is known before the first epoch.
        values: what the critic says of each distinct observation.
    """
    statistics = known.statistics
    actions, policies = known.old_log_policy.shape
    cell = _cells_of_samples(known)
    nothing = known.advantages.new_zeros(2 * actions * policies)
    weighted = known.advantages * known.weights
    sums = nothing.scatter_add(0, cell, weighted.flatten()).view(2, -1)
    shares = nothing.scatter_add(0, cell, known.weights.flatten()).view(2, -1)
    policy_shares = shares.view(-1, policies).sum(0)
    policy_sums = sums.view(-1, policies).sum(0)
    # The mean return of an observation is what its value was, plus its mean advantage over that.
    means = policy_sums / policy_shares.clamp(min=1e-12)
    floor = (weighted * known.advantages).sum() - torch.dot(policy_sums, means)
    cells = SurrogateCells(
        (sums - statistics.mean * shares) * statistics.scale,
        shares,
        known.old_log_policy.flatten(),
        known.entropy_coefficient * policy_shares,
        None,
    )
    return Batch(
        cells,
        policy_shares,
        values + means,
        floor,
    )


def _cells_of_samples(known: Evaluated) -> Int[Tensor, "samples"]:
    """The cell of each sample, counted through ``[sign of the advantage, action, row, agent]``.

    The sign is that of the normalised advantage, 0 for positive ones. It is all done in place: the
    index is the largest tensor of an update, and fresh memory costs more than the arithmetic.
    """
    row = known.distinct.row
    actions, policies = known.old_log_policy.shape
    agents = row.shape[-1]
    cell = row * agents
    cell.add_(torch.arange(agents, device=cell.device))
    cell.add_(known.distinct.rollout.actions, alpha=policies)
    cell.add_(
        known.advantages < known.statistics.mean,
        alpha=actions * policies,
    )
    return cell.flatten()
