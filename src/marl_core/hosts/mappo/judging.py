"""What a policy says of what was done, whether actions are discrete or numbers in a box."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from marl_core.abilities import StatesDensities
from marl_core.densities.agents import Densities
from marl_core.hosts.mappo.parts import Part
from marl_core.hosts.ppo.surrogate import (
    ClipRange,
    SurrogateCells,
    actions_first,
    clipped_objective,
    clipped_surrogate,
)
from marl_core.protocols import IndividualPolicy
from marl_core.types import Observation, Progress


def log_of_chosen(
    scores: Float[Tensor, "T E N S"],
    seen: Observation,
    actions: Int[Tensor, "T E N"] | Float[Tensor, "T E N D"],
    policy: IndividualPolicy,
    progress: Progress,
) -> Float[Tensor, "T E N"]:
    """The logarithm of the probability of what was done; of numbers, of their joint density.

    Args:
        scores: the host's.
        seen: what they are scores of.
        actions: what was done.
        policy: the team's individual policy.
        progress: how far the run was.
    """
    if actions.is_floating_point():
        return _densities(scores, policy, progress).log_density(actions)
    log_policy = policy.log_policy(scores, seen.legal_actions(), progress)
    return log_policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def policy_loss(
    scores: Float[Tensor, "T E N S"],
    seen: Observation,
    part: Part,
    policy: IndividualPolicy,
    progress: Progress,
    clip: ClipRange,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The policy's part of a minibatch's loss, and the share of samples inside the clip range.

    Of numbers in a box, the ratio is that of their joint density, and the entropy is differential.

    Args:
        scores: the host's, under its present weights.
        seen: what they are scores of.
        part: what is known of the minibatch.
        policy: the team's individual policy.
        progress: how far the run was.
        clip: the bounds of the ratio.
    """
    boxes = part.actions.is_floating_point()
    weights = part.weights.flatten()
    cells = SurrogateCells.of_samples(
        part.advantages.flatten(),
        weights,
        part.old_log_policy.flatten(),
        policy.entropy_coefficient(progress) * weights,
        None if boxes else part.actions.view(1, -1),
    )
    if not boxes:
        log_policy = policy.log_policy(scores, seen.legal_actions(), progress)
        return clipped_objective(actions_first(log_policy), cells, clip)
    densities = _densities(scores, policy, progress)
    chosen = densities.log_density(part.actions).flatten()
    surrogate, inside = clipped_surrogate(chosen, cells, clip)
    entropy = (cells.entropy_weights * densities.entropy().flatten()).sum()
    return -surrogate - entropy, inside


def _densities(
    scores: Tensor,
    policy: IndividualPolicy,
    progress: Progress,
) -> Densities:
    assert isinstance(policy, StatesDensities), "seen to when the run began"
    return policy.densities(scores, progress)
