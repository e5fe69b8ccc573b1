"""What is logged about a rollout, whatever the algorithm."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from marl_core.learning import Ranks
from marl_core.protocols import Coupling
from marl_core.types import Moment, Rollout

#: Of the returns of episodes that ended.
_SUM = "training_return/sum"
_COUNT = "training_return/count"


def seen_in_training(
    rollout: Rollout,
    metrics: Mapping[str, Tensor | float],
    coupling: Coupling,
) -> dict[str, Tensor | float]:
    """All that is logged about an update, on this rank.

    Args:
        rollout: what was played in it.
        metrics: what the learner reports.
        coupling: what the team shared.
    """
    return {
        **_returns(rollout),
        **metrics,
        **coupling_metrics(coupling, rollout),
    }


def _returns(rollout: Rollout) -> dict[str, Tensor | float]:
    """The mean return of the episodes that ended in a rollout, as a sum and a count."""
    gained = (rollout.team_reward * rollout.valid).sum(0)
    if rollout.pieces is None:
        return {_SUM: gained.sum(), _COUNT: float(len(gained))}
    whole = ~rollout.pieces.cut
    returns = (rollout.pieces.earned + gained) * whole
    return {_SUM: returns.sum(), _COUNT: whole.sum()}


def coupling_metrics(coupling: Coupling, rollout: Rollout) -> dict[str, float]:
    """How probable each named component of a coupling was at the start of a rollout's episodes.

    Args:
        coupling: what the team shared.
        rollout: whole episodes.

    Returns:
        By ``coupling/<name of the component>``; nothing where the coupling has one component alone.
    """
    names = coupling.component_names
    if not names:
        return {}
    varies = coupling.needs.whole_game
    device = rollout.actions.device if varies else torch.device("cpu")
    first = rollout.observations.map(lambda x: x[0]) if varies else None
    weights = coupling.weights(Moment(rollout.progress, device, first))
    means = weights.reshape(-1, weights.shape[-1]).mean(0).tolist()
    return {f"coupling/{name}": mean for name, mean in zip(names, means, strict=True)}


def means_over_ranks(
    local: Mapping[str, Tensor | float],
    ranks: Ranks,
    device: torch.device,
) -> dict[str, float]:
    """The means of metrics over the ranks, reduced all at once.

    Args:
        local: this rank's, by name; every rank must have the same names.
        ranks: the processes that train together.
        device: where they reduce.

    Returns:
        The means by name, sorted. Where no episode ended, there is no mean return.
    """
    names = sorted(local)
    values = [
        torch.as_tensor(local[name], dtype=torch.float64, device=device)
        for name in names
    ]
    means = ranks.mean(torch.stack(values)).tolist()
    found = dict(zip(names, means, strict=True))
    total, count = found.pop(_SUM), found.pop(_COUNT)
    if count:
        found["training_return"] = total / count
    return dict(sorted(found.items()))
