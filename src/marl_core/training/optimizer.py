"""Adam over flat vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from marl_core.protocols import ParameterGroup


@final
class FlatAdam(torch.optim.Adam):
    """Adam on each parameter group as one vector, of which the group's parameters become views.

    Adam and norm clipping treat all elements alike, so the result is that of ``torch.optim.Adam`` on the parameters
    themselves; but a small network's twenty tensors cost one operation in place of twenty. A step is ``gradients_of``
    the loss, ``set_gradients``, ``step``. Parameters must not move to another device while it is in use.
    """

    def __init__(self, groups: Sequence[ParameterGroup]) -> None:
        groups = [group for group in groups if any(p.requires_grad for p in group.parameters)]
        self.members = [[p for p in group.parameters if p.requires_grad] for group in groups]
        self.vectors = [_flatten(members) for members in self.members]
        self._limits = [group.max_gradient_norm for group in groups]
        flat = [{"params": [v], "lr": group.learning_rate} for v, group in zip(self.vectors, groups, strict=True)]
        super().__init__(flat, fused=True)

    def gradients_of(self, loss: Tensor) -> list[Tensor]:
        """The gradient by each vector. A parameter that the loss does not depend on has gradient 0."""
        parameters = [parameter for members in self.members for parameter in members]
        parts = iter(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))
        return [torch.cat([next(parts).reshape(-1) for _ in members]) for members in self.members]

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Take the gradients by which ``step`` descends."""
        for vector, gradient in zip(self.vectors, gradients, strict=True):
            vector.grad = gradient

    def step(self, closure: Any = None) -> Any:
        """Clip each group's gradient norm to its limit and descend."""
        result = closure() if closure is not None else None
        for vector, limit in zip(self.vectors, self._limits, strict=True):
            if limit is not None and vector.grad is not None:
                _clip(vector.grad, limit)
        super().step()
        return result


@dataclass(frozen=True)
class Moments:
    """What Adam knows of a parameter: first and second moment of its gradient, after a number of steps."""

    first: Tensor
    second: Tensor
    steps: Tensor

    def for_shape(self, shape: torch.Size) -> Moments | None:
        """The same for a parameter of that shape: for itself, or for a copy for each agent; None for anything else.

        The gradient of what agents share is the sum of the gradients that their copies get, so a copy's is taken for
        an equal part of it.
        """
        if shape == self.first.shape:
            return self
        if shape[1:] != self.first.shape:
            return None
        copies = shape[0]
        return Moments((self.first / copies).expand(shape), (self.second / copies**2).expand(shape), self.steps)


def moments_by_name(host: nn.Module, optimizer: FlatAdam) -> dict[str, Moments]:
    """The moments of each parameter that has been optimised, by its name in the host."""
    names = {parameter: name for name, parameter in host.named_parameters()}
    found = {}
    for vector, members in zip(optimizer.vectors, optimizer.members, strict=True):
        state = optimizer.state.get(vector)
        if state:
            sizes = [p.numel() for p in members]
            parts = zip(members, state["exp_avg"].split(sizes), state["exp_avg_sq"].split(sizes), strict=True)
            for p, first, second in parts:
                found[names[p]] = Moments(first.view_as(p).clone(), second.view_as(p).clone(), state["step"].clone())
    return found


def carry_over(host: nn.Module, optimizer: FlatAdam, known: Mapping[str, Moments]) -> None:
    """Have a new optimiser go on with what the one of the stage before knew.

    A parameter that is new as a copy for each agent goes on with copies. A group with a parameter of which nothing is
    known starts anew, because all of a group shares one number of steps.
    """
    names = {parameter: name for name, parameter in host.named_parameters()}
    for vector, members in zip(optimizer.vectors, optimizer.members, strict=True):
        found = [known[names[p]].for_shape(p.shape) if names[p] in known else None for p in members]
        moments = [one for one in found if one is not None]
        if len(moments) == len(found):
            optimizer.state[vector] = {
                "step": moments[0].steps.to(vector.device),
                "exp_avg": torch.cat([one.first.reshape(-1) for one in moments]).to(vector.device),
                "exp_avg_sq": torch.cat([one.second.reshape(-1) for one in moments]).to(vector.device),
            }


def _flatten(members: Sequence[nn.Parameter]) -> nn.Parameter:
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in members]))
    for parameter, part in zip(members, flat.detach().split([p.numel() for p in members]), strict=True):
        parameter.data = part.view_as(parameter)
    return flat


def _clip(gradient: Tensor, limit: float) -> None:
    gradient.mul_((limit / (torch.linalg.vector_norm(gradient) + 1e-6)).clamp(max=1.0))
