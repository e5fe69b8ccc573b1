"""Small feed-forward networks of a team: weights shared by all agents, or a copy for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dense(nn.Module):
    """y = x W + b, and optionally ReLU; with ``agents`` also + e_i, as if the agent's one-hot were part of the input.

    ``weight`` is ``[in, out]``, or ``[N, in, out]`` once every agent has its own copy.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        *,
        relu: bool,
        gain: float,
        agents: int = 0,
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
            self.weight = nn.Parameter(
                self.weight.detach().expand(agents, -1, -1).clone()
            )
            self.bias = nn.Parameter(self.bias.detach().expand(agents, -1).clone())

    def forward(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        """Run the layer."""
        leading = inputs.shape[:-1]
        if self.weight.dim() == 2:
            outputs = torch.addmm(self.bias, inputs.flatten(0, -2), self.weight).view(
                *leading, -1
            )
        else:
            by_agent = inputs.reshape(-1, *inputs.shape[-2:]).transpose(0, 1)
            outputs = (
                torch.baddbmm(self.bias.unsqueeze(1), by_agent, self.weight)
                .transpose(0, 1)
                .reshape(*leading, -1)
            )
        if self.identity is not None:
            outputs = outputs + self.identity
        return outputs.relu() if self.relu else outputs


class Stack(nn.Module):
    """Layers one after another, ``[*B, N, in]`` to ``[*B, N, out]``."""

    def __init__(self, layers: Sequence[Dense]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

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
            layers.append(
                Dense(
                    inputs,
                    outputs,
                    generator,
                    relu=relu[index],
                    gain=gain,
                    agents=identity,
                )
            )
        return cls(layers)

    def copy_for_each_agent(self, agents: int) -> None:
        """Give each agent its own copy of every layer."""
        for layer in self.layers:
            assert isinstance(layer, Dense)
            layer.copy_for_each_agent(agents)

    def forward(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        """Run all layers."""
        hidden = inputs.to(
            next(self.parameters()).dtype
        )  # precision 64-true: environments know nothing of it
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden
