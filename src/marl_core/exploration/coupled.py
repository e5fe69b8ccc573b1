"""An individual policy and a coupling make an exploration strategy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.abilities import (
    CouplesDensities,
    StatesDensities,
)
from marl_core.coupling.independent import Independent
from marl_core.joint_policy import JointLaw, TeamLaw
from marl_core.protocols import (
    Coupling,
    ExplorationStrategy,
    IndividualPolicy,
)
from marl_core.types import Progress


@final
@dataclass(frozen=True)
class CoupledExploration:
    """An exploration strategy: any individual policy under any coupling.

    Usage::

        CoupledExploration(EpsilonGreedy(end=0.05), PolicyResonance(eta_max=0.75))

    Attributes:
        individual: what each agent does on its own.
        coupling: what the team shares; by default nothing.
    """

    individual: IndividualPolicy
    coupling: Coupling = field(default_factory=Independent)


def team_law(
    strategy: ExplorationStrategy,
    scores: Float[Tensor, "*CB N A"],
    legal: Bool[Tensor, "*B N A"] | None,
    progress: Progress,
    weights: Float[Tensor, "*E C"],
) -> TeamLaw:
    """The law of the joint action under a strategy, discrete or in boxes.

    Args:
        strategy: how the team explores.
        scores: the host's, ``[*B, N, A]``; ``[C, *B, N, A]`` where the coupling's components have
            scores of their own.
        legal: which actions are legal, ``[*B, N, A]``; None: all of them.
        progress: how far the run is.
        weights: what ``strategy.coupling.weights`` said when the components were drawn.
    """
    individual, coupling = (
        strategy.individual,
        strategy.coupling,
    )
    if not isinstance(individual, StatesDensities):
        return joint_policy(
            strategy,
            scores,
            legal,
            progress,
            weights,
        )
    assert isinstance(coupling, CouplesDensities), "seen to when the run began"
    return coupling.density_law(
        individual.densities(scores, progress),
        weights,
        progress,
    )


def joint_policy(
    strategy: ExplorationStrategy,
    scores: Float[Tensor, "*CB N A"],
    legal: Bool[Tensor, "*B N A"] | None,
    progress: Progress,
    weights: Float[Tensor, "*E C"],
) -> JointLaw:
    """The law of the joint action under a strategy of discrete actions.

    Args:
        strategy: how the team explores.
        scores: the host's, ``[*B, N, A]``; ``[C, *B, N, A]`` where the coupling's components have
            scores of their own.
        legal: which actions are legal, ``[*B, N, A]``; None: all of them.
        progress: how far the run is.
        weights: what ``strategy.coupling.weights`` said when the components were drawn.
    """
    mask = legal
    if legal is not None and legal.dim() < scores.dim():
        mask = legal.expand(scores.shape)
    policies = strategy.individual.log_policy(scores, mask, progress).exp()
    return strategy.coupling.law(policies, weights, progress)
