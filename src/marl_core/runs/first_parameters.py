"""Parameters that a host begins with, taken from another one as far as they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from marl_core.protocols import HostAlgorithm


def load_fitting(
    host: HostAlgorithm,
    parameters: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Load the parameters whose names and shapes are those of the host's own.

    Args:
        host: is changed.
        parameters: by their names.

    Returns:
        Those that do not fit.
    """
    own: dict[str, Any] = dict(host.state_dict())
    left = {
        name: value
        for name, value in parameters.items()
        if not _fits(value, own.get(name))
    }
    fit = {
        name: value.to(own[name].dtype)
        for name, value in parameters.items()
        if name not in left
    }
    if fit:
        host.load_state_dict({**own, **fit})
    return left


def _fits(value: Tensor, like: object) -> bool:
    return isinstance(like, Tensor) and like.shape == value.shape
