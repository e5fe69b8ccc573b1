"""Adam over flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from marl_core.types import ParameterGroup

#: Under which Adam keeps the rate from which a group's rate falls, as torch's schedulers do.
FIRST_RATE = "initial_lr"


@final
class FlatAdam(torch.optim.Adam):
    """Adam on each parameter group as one vector, of which the group's parameters become views.

    Adam and norm clipping treat all elements alike, so the result is that of ``torch.optim.Adam``
    on the parameters themselves; but a small network's twenty tensors cost one operation in place
    of twenty. A step is ``gradients_of`` the loss, ``set_gradients``, ``step``. Parameters must not
    move to another device while it is in use.
    """

    def __init__(self, groups: Sequence[ParameterGroup]) -> None:
        groups = [
            group for group in groups if any(p.requires_grad for p in group.parameters)
        ]
        self.members = [
            [p for p in group.parameters if p.requires_grad] for group in groups
        ]
        self.vectors = [_flatten(members) for members in self.members]
        self._limits = [group.max_gradient_norm for group in groups]
        flat = [
            {"params": [v], "lr": group.learning_rate, **_schedule(group)}
            for v, group in zip(self.vectors, groups, strict=True)
        ]
        super().__init__(flat, fused=True)

    def go_to(self, share: float) -> None:
        """Set the learning rates that fall over a run. It is a function of how far the run is, so
        that a resumed run has the same ones.

        Args:
            share: of the run's episodes, how many have been played; from 0 to 1.
        """
        for group in self.param_groups:
            if FIRST_RATE in group:
                group["lr"] = group[FIRST_RATE] * (1 - share)

    def gradients_of(self, loss: Tensor) -> list[Tensor]:
        """The gradient by each vector. Parameters that the loss does not depend on have gradient 0.

        Args:
            loss: a scalar.

        Returns:
            A vector for each group of parameters.
        """
        parameters = [parameter for members in self.members for parameter in members]
        parts = iter(
            torch.autograd.grad(
                loss, parameters, allow_unused=True, materialize_grads=True
            )
        )
        return [
            torch.cat([next(parts).reshape(-1) for _ in members])
            for members in self.members
        ]

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Take the gradients by which ``step`` descends.

        Args:
            gradients: a vector for each group of parameters.
        """
        for vector, gradient in zip(self.vectors, gradients, strict=True):
            vector.grad = gradient

    def step(self, closure: Any = None) -> Any:
        """Clip each group's gradient norm to its limit and descend.

        Args:
            closure: called before, as torch's optimisers do; Lightning runs the training step in
                it.
        """
        result = closure() if closure is not None else None
        for vector, limit in zip(self.vectors, self._limits, strict=True):
            if limit is not None and vector.grad is not None:
                _clip(vector.grad, limit)
        super().step()
        return result


def _schedule(group: ParameterGroup) -> dict[str, float]:
    """What Adam has to know of a group whose rate falls; nothing of one whose rate stays."""
    falls = group.schedule == "linear"
    return {FIRST_RATE: group.learning_rate} if falls else {}


def _flatten(members: Sequence[nn.Parameter]) -> nn.Parameter:
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in members]))
    for parameter, part in zip(
        members, flat.detach().split([p.numel() for p in members]), strict=True
    ):
        parameter.data = part.view_as(parameter)
    return flat


def _clip(gradient: Tensor, limit: float) -> None:
    gradient.mul_((limit / (torch.linalg.vector_norm(gradient) + 1e-6)).clamp(max=1.0))
