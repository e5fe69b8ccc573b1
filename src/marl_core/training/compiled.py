"""Losses and their gradients in one compiled function.

A team's networks are a few units wide: what an update costs is not arithmetic but the hundred small
operations of autograd. ``torch.compile`` makes one function of a loss and its gradient. Compilation
takes some seconds at the start of a stage and needs a C++ compiler; the numbers are those of eager
execution up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.func import functional_call, grad_and_value

from marl_core.learning import Objective
from marl_core.training.compiler import refusal
from marl_core.training.optimizer import FlatOptimizer
from marl_core.types import Loss


@final
class CompiledLoss:
    """Evaluates a host's objectives together with their gradients; stands in for eager evaluation.

    The compiled function takes the optimiser's flat vectors in place of the parameters, so that it
    has a handful of inputs and outputs: each one costs time at every call.
    """

    def __init__(self, host: nn.Module, optimizer: FlatOptimizer) -> None:
        # What an earlier stage or run compiled answers to the same arguments, but is of other
        # modules.
        torch.compiler.reset()
        self._scope = _Scope(host)
        names = {parameter: name for name, parameter in host.named_parameters()}
        self._layout = [
            [(names[p], p.shape) for p in members] for members in optimizer.members
        ]
        self._vectors = [vector.detach() for vector in optimizer.vectors]
        self._functions: dict[str, Callable[..., Any]] = {}

    def __call__(self, objective: Objective, *arguments: Any) -> Loss:
        """The loss, its metrics, and the gradient of each parameter group as one vector."""
        name = objective.__name__
        if name not in self._functions:
            options: dict[str, Any] = {"guard_filter_fn": _only_arguments}
            self._functions[name] = torch.compile(
                self._with_gradient(objective), dynamic=False, options=options
            )
        try:
            with torch.no_grad():
                gradients, (total, metrics) = self._functions[name](
                    self._vectors, *arguments
                )
        except TorchDynamoException as error:
            # No C++ compiler, or an objective that cannot be traced.
            raise refusal("the losses", error) from error
        return Loss(total, metrics, gradients)

    def _with_gradient(self, objective: Objective) -> Callable[..., Any]:
        scope, layout = self._scope, self._layout

        def loss(
            vectors: Sequence[Tensor], *arguments: Any
        ) -> tuple[Tensor, tuple[Tensor, Mapping[str, Tensor]]]:
            parameters = {}
            for vector, members in zip(vectors, layout, strict=True):
                parts = vector.split([shape.numel() for _, shape in members])
                for part, (name, shape) in zip(parts, members, strict=True):
                    parameters[f"host.{name}"] = part.view(shape)
            total, metrics = functional_call(scope, parameters, (objective, *arguments))
            return total, (total, metrics)

        def with_gradient(vectors: Sequence[Tensor], *arguments: Any) -> Any:
            gradients, (_, found) = grad_and_value(loss, has_aux=True)(
                vectors, *arguments
            )
            return gradients, found

        return with_gradient


def _only_arguments(guards: Sequence[Any]) -> list[bool]:
    """What to check at every call: the arguments.

    All else, above all the host's modules, is fixed within a stage.
    """
    return ["L['arguments']" in guard.name for guard in guards]


class _Scope(nn.Module):
    """Runs an objective while ``functional_call`` has put other tensors in the place of the host's
    parameters.
    """

    def __init__(self, host: nn.Module) -> None:
        super().__init__()
        self.host = host

    def forward(
        self, objective: Objective, *arguments: Any
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        return objective(*arguments)
