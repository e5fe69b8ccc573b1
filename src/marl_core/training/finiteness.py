"""Whether everything that an update touched is a finite number.

A run whose loss is NaN would go on to the end and report a plausible score: an argmax over NaN
always picks the same action. So every update is checked, before anything of it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.errors import UserError
from marl_core.training.optimizer import FlatOptimizer
from marl_core.types import Rollout


def digest(
    rollout: Rollout, optimizers: Sequence[FlatOptimizer], loss: Tensor | None
) -> Float[Tensor, ""]:
    """A number that is finite if, and only if, all rewards, the loss and all parameters are.

    It costs a sum for each vector of parameters, and is read together with what an update counts,
    so that the CPU waits for the device no more often than without it.

    Args:
        rollout: what was played.
        optimizers: hold the parameters, as a vector for each group.
        loss: the last one; None where there was none.
    """
    parts = _rewards(rollout)
    for optimizer in optimizers:
        parts += [vector.detach() for vector in optimizer.vectors]
    if loss is not None:
        parts.append(loss.detach())
    return torch.stack([part.sum(dtype=torch.float64) for part in parts]).sum()


def explanation(
    rollout: Rollout,
    metrics: Mapping[str, Tensor | float],
    parameters: Mapping[str, Tensor],
) -> str:
    """What is not finite, the cause before its effects.

    Args:
        rollout: what was played.
        metrics: what the host reports of its last loss.
        parameters: after the update, by name.

    Returns:
        A phrase as ``"the loss 'policy_loss' is nan"``; the empty string where all is finite.
    """
    return next(_causes(rollout, metrics, parameters), "")


def not_finite(update: int, causes: Sequence[str | None]) -> UserError:
    """The error with which training stops.

    Args:
        update: the number of the update.
        causes: what is not finite in each rank; nothing where all is finite there.
    """
    known = filter(None, causes)
    found = next(known, "another rank has a number that is not finite")
    return UserError(
        f"update {update}: {found}; "
        "training stops, and the newest checkpoint stays as it is. "
        "A smaller learning rate or a look at the environment's numbers may help"
    )


def _causes(
    rollout: Rollout,
    metrics: Mapping[str, Tensor | float],
    parameters: Mapping[str, Tensor],
) -> Iterator[str]:
    for rewards in _rewards(rollout):
        yield from _not_finite("a reward is", rewards)
    for name, value in _seen(rollout).items():
        yield from _not_finite(f"an observation ('{name}') has", value)
    for name, metric in metrics.items():
        yield from _not_finite(f"'{name}' of the last loss is", torch.as_tensor(metric))
    for name, value in parameters.items():
        yield from _not_finite(f"the parameter '{name}' has", value)


def _not_finite(what: str, values: Tensor) -> Iterator[str]:
    if not values.is_floating_point():
        return
    wrong = values[~values.isfinite()]
    if wrong.numel():
        yield f"{what} {float(wrong.flatten()[0])}"


def _rewards(rollout: Rollout) -> list[Tensor]:
    """Rewards of the games that are on; entries after a game's end mean nothing."""
    found = [rollout.team_reward.masked_fill(~rollout.valid, 0.0)]
    is_team_reward = rollout.reward.stride(-1) == 0  # given to every agent
    if not is_team_reward:
        found.append(rollout.reward.masked_fill(~rollout.valid.unsqueeze(-1), 0.0))
    return found


def _seen(rollout: Rollout) -> dict[str, Tensor]:
    on = rollout.valid
    found: dict[str, Tensor] = {}
    for name, value in vars(rollout.observations).items():
        if isinstance(value, Tensor):
            found[name] = value[on]
    return found
