"""Whether an optimiser's moments in a checkpoint are those of the parameters.

Torch takes moments of any shape, and its fused step then reads memory that is not theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from marl_core.runs.saved_tensors import check_tensor
from marl_core.training.optimizer import FIRST_RATE, FlatOptimizer


def load_moments(
    optimizers: Sequence[FlatOptimizer], saved: Sequence[Mapping[str, Any]]
) -> None:
    """Go on with the moments of a checkpoint. All are checked before the first is used.

    Args:
        optimizers: of the stage, without moments yet.
        saved: what the checkpoint holds of each.

    Raises:
        ValueError: they are of other parameters or other settings. The message says which.
    """
    if len(saved) != len(optimizers):
        found = f"{len(saved)} optimisers, and should be {len(optimizers)}"
        raise ValueError(f"the checkpoint has {found}")
    for optimizer, state in zip(optimizers, saved, strict=True):
        _check_settings(optimizer, state["param_groups"])
        _check_moments(optimizer, state["state"])
    for optimizer, state in zip(optimizers, saved, strict=True):
        own = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state["state"], "param_groups": own})


def _check_settings(
    optimizer: FlatOptimizer, saved: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse other settings than the config's: other learning rates, another number of groups."""
    own = optimizer.state_dict()["param_groups"]
    label = optimizer.label
    if len(saved) != len(own):
        found = f"{len(saved)} groups, and should have {len(own)}"
        raise ValueError(f"{label} has {found}")
    for index, (one, other) in enumerate(zip(own, saved, strict=True)):
        # Versions of torch differ in what they name.
        # A rate that falls is set before each update; where it fell from has to be the same.
        falling = {"lr"} if FIRST_RATE in one and FIRST_RATE in other else set()
        for name in (one.keys() & other.keys()) - falling:
            if one[name] != other[name]:
                found = f"is {other[name]!r}, and should be {one[name]!r}"
                raise ValueError(f"{label}'s {name} of group {index} {found}")


def _check_moments(optimizer: FlatOptimizer, saved: Mapping[Any, Any]) -> None:
    label = optimizer.label
    if any(index not in range(len(optimizer.vectors)) for index in saved):
        raise ValueError(f"{label} has moments of parameters that are not there")
    steps = {"step"} if optimizer.counts_steps else set()
    for index, moments in saved.items():
        if set(moments) != optimizer.moments | steps:
            raise ValueError(f"{label}'s moments of group {index} are incomplete")
        vector = optimizer.vectors[index]
        for name in sorted(optimizer.moments):
            what = f"{label}'s {name} of group {index}"
            check_tensor(what, moments[name], tuple(vector.shape), vector.dtype)
        if steps:
            what = f"{label}'s step of group {index}"
            check_tensor(what, moments["step"], (), torch.float32)
            if not moments["step"] >= 1:
                raise ValueError(f"{what} is {float(moments['step'])}")
