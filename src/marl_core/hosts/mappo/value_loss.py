"""How wrong values are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def value_error(
    values: Float[Tensor, "*B"],
    returns: Float[Tensor, "*B"],
    before: Float[Tensor, "*B"],
    *,
    huber: float | None,
    clip: float | None,
) -> Float[Tensor, "*B"]:
    """The error of each value, a square or Huber's loss.

    With a clip it is the greater one of the value's error and of that of the value brought within
    ``clip`` of what it was before the update. So a value that has gone farther, towards its return,
    is taught nothing more (the clipped loss of Schulman et al.'s implementation of PPO, which Yu et
    al. 2022 take up).

    Args:
        values: as they are learnt.
        returns: what they should be.
        before: what the values were before the update.
        huber: from which error on it grows linearly; None: nowhere.
        clip: how far from ``before`` values are followed; None: any distance.
    """
    error = _squared(values, returns, huber)
    if clip is None:
        return error
    near = values.clamp(before - clip, before + clip)
    return torch.maximum(error, _squared(near, returns, huber))


def _squared(values: Tensor, returns: Tensor, huber: float | None) -> Tensor:
    """The square of each error, which grows linearly beyond a bound (Huber's loss, doubled)."""
    if huber is None:
        return (values - returns).square()
    return 2 * functional.huber_loss(
        values,
        returns,
        reduction="none",
        delta=huber,
    )
