"""What is logged about a rollout, whatever the algorithm."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.protocols import Coupling
from marl_core.types import Moment, Rollout


def mean_return(rollout: Rollout) -> Float[Tensor, ""]:
    """The mean return of a rollout's episodes.

    Args:
        rollout: whole episodes.
    """
    return (rollout.team_reward * rollout.valid).sum(0).mean()


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
