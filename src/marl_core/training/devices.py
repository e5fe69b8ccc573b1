"""On what a run computes."""

from __future__ import annotations

import torch
from torch import nn

from marl_core.config.run import TrainingConfig
from marl_core.errors import UserError
from marl_core.run_state import RunState


def accelerator_of(training: TrainingConfig) -> str:
    """The accelerator that Lightning is asked for.

    Apple GPUs have no numbers of double precision, in which sums over a rollout are taken. So
    ``auto`` never takes one.

    Args:
        training: says what is asked for.

    Raises:
        UserError: an Apple GPU is asked for.
    """
    asked = training.accelerator.lower()
    is_apple = torch.backends.mps.is_available() and not torch.cuda.is_available()
    if asked == "mps" or (asked == "gpu" and is_apple):
        message = (
            f"'{training.accelerator}' is an Apple GPU (mps), which has no numbers of double "
            "precision, and training needs them; `accelerator: cpu` works"
        )
        raise UserError(message, "training", "accelerator")
    return "cpu" if asked == "auto" and is_apple else training.accelerator


def device_of(training: TrainingConfig) -> torch.device:
    """The kind of device that a run trains on, if it is here; else the CPU.

    Args:
        training: of the run.
    """
    wants_gpu = training.accelerator.lower() in ("auto", "gpu", "cuda")
    is_there = wants_gpu and torch.cuda.is_available()
    return torch.device("cuda" if is_there else "cpu")


def on_its_device(state: RunState) -> torch.device:
    """Have a run's team compute where it was trained, if that kind of device is here.

    Args:
        state: the run; its host, and what else has parameters, are moved.

    Returns:
        Where it computes. A host that is no torch module stays on the CPU.
    """
    device = device_of(state.config.training)
    if device.type == "cpu" or not isinstance(state.host, nn.Module):
        return torch.device("cpu")
    exploration = state.exploration
    for part in (state.host, exploration.coupling, exploration.individual):
        if isinstance(part, nn.Module):
            part.to(device)
    return device
