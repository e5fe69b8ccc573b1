"""What is given to the functions of policy resonance from outside, looked at before it is used."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from marl_core.errors import UserError
from marl_core.shapes import Float

#: How far from 1 a policy's probabilities may sum to. Rounding of single precision stays far below
#: it, logits far above.
_TOLERANCE = 1e-4
#: The same in half precision, where each probability is good to a few thousandths.
_TOLERANCE_OF_HALF = 2e-2


@final
class ArgumentError(UserError, ValueError):
    """A wrong argument: a ``ValueError`` as torch raises it, whose message is one line."""


def check_policies(individual: Tensor) -> None:
    """Refuse what is no table of probabilities: logits, above all, which are easily taken for one.

    It waits for the device, and does nothing while ``torch.compile`` traces.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.

    Raises:
        ArgumentError: numbers are whole or negative, or rows do not sum to 1.
    """
    if not individual.is_floating_point():
        raise ArgumentError(f"policies must be probabilities, not {individual.dtype}")
    if individual.dim() < 2:
        found = list(individual.shape)
        raise ArgumentError(f"policies have the axes [..., agent, action], not {found}")
    if torch.compiler.is_compiling():
        return
    half = individual.dtype.itemsize < 4
    tolerance = _TOLERANCE_OF_HALF if half else _TOLERANCE
    sums = individual.sum(-1, dtype=torch.float32 if half else None)
    right = (individual >= 0).all() & ((sums - 1).abs() <= tolerance).all()
    if not bool(right):
        raise ArgumentError(
            "policies must be probabilities: at least 0, and each agent's sum to 1. "
            "Where they are logits, give logits.softmax(-1)"
        )


def normalised(individual: Float[Tensor, "*B N A"]) -> Float[Tensor, "*B N A"]:
    """The policies in at least single precision.

    In half precision a row sums to 1 up to some thousandths only, and the correction divides by
    1 - eta what is left of that. Others stay as they are, bit for bit.

    Args:
        individual: raw policies pi_i, ``[*B, N, A]``.
    """
    if individual.dtype.itemsize >= 4:
        return individual
    single = individual.float()
    return single / single.sum(-1, keepdim=True)


def as_eta(
    eta: Float[Tensor, "*G"] | float,
    individual: Float[Tensor, "*B N A"],
    *,
    validate: bool = True,
) -> Float[Tensor, "*G"]:
    """The resonance probability as a tensor, where the policies are.

    Args:
        eta: one for all games, a number or a tensor without axes; or one for each game, ``[*B]``.
        individual: raw policies pi_i, ``[*B, N, A]``.
        validate: whether its values are looked at, which waits for the device.

    Raises:
        ArgumentError: it is below 0 or above 1, or has other axes than the games.
    """
    if isinstance(eta, Tensor):
        games = individual.shape[:-2]
        if eta.dim() > 0 and eta.shape != games:
            raise ArgumentError(
                f"eta is one number, or one for each game of shape {list(games)}, "
                f"not of shape {list(eta.shape)}"
            )
        found = eta.to(individual.device)
        if found.dim() > 0:
            found = found.to(individual.dtype)
    else:
        # ``torch.tensor`` would copy it to the device, and wait for that.
        found = torch.full((), eta, dtype=individual.dtype, device=individual.device)
    if validate and not torch.compiler.is_compiling():
        inside = (found >= 0) & (found <= 1)
        if not bool(inside.all()):
            raise ArgumentError("eta is a probability: at least 0, at most 1")
    return found


def check_p_min(p_min: float) -> None:
    """Refuse a p_min that is no probability.

    Args:
        p_min: least probability of the greedy action when not resonated, in [0, 1).

    Raises:
        ArgumentError: it is below 0, or not below 1.
    """
    if not 0 <= p_min < 1:
        raise ArgumentError(f"p_min is in [0, 1), and 1/actions at most, not {p_min:g}")
