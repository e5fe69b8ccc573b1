"""Masked softmax policies."""

from __future__ import annotations

from torch import Tensor

from marl_core.shapes import Bool, Float

#: Score of an action that is not legal: finite, so that no gradient is NaN, and its probability is
#: exactly 0.
ILLEGAL = -1e9


def at_least_single(scores: Float[Tensor, "*B N A"]) -> Float[Tensor, "*B N A"]:
    """The scores in single precision, if theirs is lower: probabilities are to sum to 1.

    Args:
        scores: the host's, ``[*B, N, A]``.
    """
    return scores.float() if scores.dtype.itemsize < 4 else scores


def log_softmax_policy(
    scores: Float[Tensor, "*B N A"],
    legal: Bool[Tensor, "*B N A"] | None,
    temperature: float = 1.0,
) -> Float[Tensor, "*B N A"]:
    """log pi_i(u) = log softmax(scores / temperature), in at least single precision.

    Args:
        scores: the host's, ``[*B, N, A]``.
        legal: which actions are legal, ``[*B, N, A]``; None: all of them.
        temperature: by which the scores are divided.
    """
    scaled = at_least_single(scores)
    if temperature != 1.0:
        scaled = scaled / temperature
    if legal is not None:
        scaled = scaled.masked_fill(~legal, ILLEGAL)
    # Over a short last axis torch's kernel is not vectorised: with the actions first it is ten
    # times as fast.
    return scaled.movedim(-1, 0).log_softmax(0).movedim(0, -1)
