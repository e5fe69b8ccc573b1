"""Small feed-forward networks of a team: weights shared by all agents, or a copy for each.

A team's networks are a few units wide, so their time is not arithmetic but the cost of each small operation; torch's
autograd triples it. ``Stack`` therefore runs all its layers, forward and backward, as one autograd node. Benchmark:
``benchmarks/fme_update.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Dense(nn.Module):
    """y = x W + b, and optionally ReLU; with ``agents`` also + e_i, as if the agent's one-hot were part of the input.

    ``weight`` is ``[in, out]``, or ``[N, in, out]`` once every agent has its own copy.
    """

    def __init__(
        self, inputs: int, outputs: int, generator: torch.Generator, *, relu: bool, gain: float, agents: int = 0
    ) -> None:
        super().__init__()
        joined = torch.empty(inputs + agents, outputs)
        nn.init.orthogonal_(joined, gain, generator=generator)
        self.relu = relu
        self.weight = nn.Parameter(joined[:inputs].clone())
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.identity = nn.Parameter(joined[inputs:].clone()) if agents else None

    def copy_for_each_agent(self, agents: int) -> None:
        """Give each of ``agents`` agents its own weight and bias, equal to the shared ones."""
        if self.weight.dim() == 2:
            self.weight = nn.Parameter(self.weight.detach().expand(agents, -1, -1).clone())
            self.bias = nn.Parameter(self.bias.detach().expand(agents, -1).clone())


class Stack(nn.Module):
    """Layers one after another, ``[*B, N, in]`` to ``[*B, N, out]``."""

    def __init__(self, layers: Sequence[Dense]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._relus = tuple(layer.relu for layer in layers)

    @classmethod
    def build(
        cls,
        widths: Sequence[int],
        generator: torch.Generator,
        *,
        relu: Sequence[bool],
        last_gain: float = 1.0,
        agents: int = 0,
    ) -> Stack:
        """A stack with orthogonal initial weights; ``agents`` adds the agents' identity to the first layer's input."""
        layers = []
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            gain = last_gain if index == len(relu) - 1 else math.sqrt(2)
            identity = agents if index == 0 else 0
            layers.append(Dense(inputs, outputs, generator, relu=relu[index], gain=gain, agents=identity))
        return cls(layers)

    def copy_for_each_agent(self, agents: int) -> None:
        """Give each agent its own copy of every layer."""
        for layer in self.layers:
            assert isinstance(layer, Dense)
            layer.copy_for_each_agent(agents)

    def forward(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        """Run all layers."""
        leading = inputs.shape[:-1]
        parameters = [p for layer in self.layers for p in (layer.weight, layer.bias, layer.identity)]
        flat = inputs.reshape(-1, leading[-1], inputs.shape[-1])
        with torch.autocast(inputs.device.type, enabled=False):
            outputs = _RunLayers.apply(flat.to(next(self.parameters()).dtype), self._relus, *parameters)  # type: ignore[no-untyped-call]
        return outputs.view(*leading, -1)


class _RunLayers(torch.autograd.Function):
    """``[B, N, in]`` through dense layers; hidden states are ``[B*N, h]``, or ``[N, B, h]`` with copies."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, relus: tuple[bool, ...], *parameters: Tensor | None) -> Tensor:
        shared = parameters[0] is not None and parameters[0].dim() == 2
        batch, agents = inputs.shape[:2]
        hidden = inputs.flatten(0, 1) if shared else inputs.transpose(0, 1)
        hiddens = [hidden]
        for index, relu in enumerate(relus):
            weight, bias, identity = parameters[3 * index : 3 * index + 3]
            assert weight is not None
            assert bias is not None
            if shared:
                hidden = torch.addmm(bias, hidden, weight)
                if identity is not None:
                    hidden.view(batch, agents, -1).add_(identity)
            else:
                shift = bias if identity is None else bias + identity
                hidden = torch.baddbmm(shift.unsqueeze(1), hidden, weight)
            if relu:
                hidden.relu_()
            hiddens.append(hidden)
        ctx.save_for_backward(*hiddens, *parameters[::3])
        ctx.plan = relus, shared, [parameter is not None for parameter in parameters]
        return hidden.view(batch, agents, -1) if shared else hidden.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        relus, shared, present = ctx.plan
        count = len(relus)
        hiddens, weights = ctx.saved_tensors[: count + 1], ctx.saved_tensors[count + 1 :]
        batch, agents = gradient.shape[:2]
        flow = gradient.flatten(0, 1) if shared else gradient.transpose(0, 1)
        out: list[Tensor | None] = [None] * (3 * count)
        for index in range(count - 1, -1, -1):
            if relus[index]:
                flow = torch.ops.aten.threshold_backward(flow, hiddens[index + 1], 0)
            if ctx.needs_input_grad[2 + 3 * index]:
                out[3 * index] = hiddens[index].mT @ flow
                out[3 * index + 1] = flow.sum(-2)
                if present[3 * index + 2]:
                    out[3 * index + 2] = flow.view(batch, agents, -1).sum(0) if shared else out[3 * index + 1]
            if index or ctx.needs_input_grad[0]:
                flow = flow @ weights[index].mT
        if not ctx.needs_input_grad[0]:
            return None, None, *out
        return (flow.view(batch, agents, -1) if shared else flow.transpose(0, 1)), None, *out
