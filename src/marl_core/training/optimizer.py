"""Optimisers over flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from marl_core.config.optimizer import (
    AdamConfig,
    AdamWConfig,
    AnyOptimizer,
    RMSpropConfig,
)
from marl_core.types import ParameterGroup

#: Under which an optimiser keeps the rate from which a group's rate falls, as torch's schedulers
#: do.
FIRST_RATE = "initial_lr"


class FlatOptimizer(torch.optim.Optimizer):
    """An optimiser of each parameter group as one vector, of which the parameters become views.

    Abstract base, mixed into torch's optimisers. Those here and norm clipping treat all elements
    alike, so the result is that of the same optimiser on the parameters themselves; but a small
    network's twenty tensors cost one operation in place of twenty. A step is ``gradients_of`` the
    loss, ``set_gradients``, ``step``. Parameters must not move to another device while it is in
    use.

    Args:
        groups: what to optimise, and how fast.
        settings: of torch's optimiser.
    """

    #: What messages call it.
    label: str

    def __init__(self, groups: Sequence[ParameterGroup], **settings: Any) -> None:
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
        super().__init__(flat, **settings)

    @property
    def moments(self) -> frozenset[str]:
        """Which vectors it keeps for each vector of parameters."""
        raise NotImplementedError

    @property
    def counts_steps(self) -> bool:
        """Whether it keeps the number of its steps."""
        return True

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


class _Fused(FlatOptimizer):
    """Adam's kinds, in torch's fused kernel."""

    moments = frozenset({"exp_avg", "exp_avg_sq"})

    def __init__(self, groups: Sequence[ParameterGroup], **settings: Any) -> None:
        super().__init__(groups, **settings, fused=True)


@final
class FlatAdam(_Fused, torch.optim.Adam):
    """Adam."""

    label = "Adam"


@final
class FlatAdamW(_Fused, torch.optim.AdamW):
    """Adam with decoupled weight decay."""

    label = "AdamW"


@final
class FlatRMSprop(FlatOptimizer, torch.optim.RMSprop):
    """RMSprop."""

    label = "RMSprop"

    @property
    def moments(self) -> frozenset[str]:
        """The mean square, and the momentum where there is one."""
        momentum = {"momentum_buffer"} if self.defaults["momentum"] else set()
        return frozenset({"square_avg"} | momentum)


@final
class FlatSGD(FlatOptimizer, torch.optim.SGD):
    """Gradient descent."""

    label = "SGD"
    counts_steps = False

    @property
    def moments(self) -> frozenset[str]:
        """The momentum, where there is one."""
        return frozenset({"momentum_buffer"} if self.defaults["momentum"] else ())


def flat_optimizer(
    config: AnyOptimizer, groups: Sequence[ParameterGroup]
) -> FlatOptimizer:
    """The optimiser that a config names.

    Args:
        config: which, and its settings.
        groups: what to optimise, and how fast.
    """
    settings = config.model_dump(exclude={"name", "beta1", "beta2"})
    if isinstance(config, AdamConfig):
        settings["betas"] = (config.beta1, config.beta2)
    if isinstance(config, AdamWConfig):
        return FlatAdamW(groups, **settings)
    if isinstance(config, AdamConfig):
        return FlatAdam(groups, **settings)
    if isinstance(config, RMSpropConfig):
        return FlatRMSprop(groups, **settings)
    return FlatSGD(groups, **settings)


def _schedule(group: ParameterGroup) -> dict[str, float]:
    """What an optimiser has to know of a group whose rate falls; nothing where it stays."""
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
