"""Mixing networks: agents' values to the team's."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

#: In so few states it is cheaper to multiply by the weights of all of them than to copy weights for every team.
_FEW_STATES = 16


class MixingWeights(NamedTuple):
    """A two-layer network for each of R states; the weights are not negative, the biases anything."""

    first: Float[Tensor, "R N H"]
    first_bias: Float[Tensor, "R H"]
    second: Float[Tensor, "R H"]
    second_bias: Float[Tensor, "R"]


class MonotonicMixer(nn.Module):
    """QMIX's mixing network (Rashid et al. 2018): Q_tot rises with every agent's value, however the state is.

    Hypernetworks turn the state into the weights of ``Q_tot = w2 . elu(W1 q + b1) + b2``, made non-negative by their
    absolute value. As two layers lie between state and weights, only their last bias acts on all states alike.
    """

    def __init__(
        self, state_features: int, agents: int, hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._agents, self._hidden = agents, hidden
        self.first = _hypernetwork(state_features, hidden, agents * hidden, generator)
        self.first_bias = _layer(state_features, hidden, generator)
        self.second = _hypernetwork(state_features, hidden, hidden, generator)
        self.second_bias = _hypernetwork(state_features, hidden, 1, generator)

    def weights(self, state: Float[Tensor, "R S"]) -> MixingWeights:
        """The mixing networks of R states."""
        state = state.to(self.first_bias.weight.dtype)
        return MixingWeights(
            self.first(state).abs().view(-1, self._agents, self._hidden),
            self.first_bias(state),
            self.second(state).abs(),
            self.second_bias(state).squeeze(-1),
        )


def mix(
    values: Float[Tensor, "B N"],
    weights: MixingWeights,
    row: Int[Tensor, "B"] | None = None,
) -> Float[Tensor, "B"]:
    """Q_tot of B teams; ``row`` says which of the weights' states each is in, by default team ``b`` in state ``b``."""
    if row is None:
        hidden = torch.bmm(values.unsqueeze(1), weights.first).squeeze(1)
        first_bias, second, second_bias = (
            weights.first_bias,
            weights.second,
            weights.second_bias,
        )
    else:
        hidden = _first_layer(values, weights.first, row)
        first_bias, second, second_bias = (
            part.index_select(0, row) for part in weights[1:]
        )
    return (nn.functional.elu(hidden + first_bias) * second).sum(-1) + second_bias


def _first_layer(
    values: Float[Tensor, "B N"], weights: Float[Tensor, "R N H"], row: Int[Tensor, "B"]
) -> Float[Tensor, "B H"]:
    states, agents, hidden = weights.shape
    if states > _FEW_STATES:
        return torch.bmm(values.unsqueeze(1), weights.index_select(0, row)).squeeze(1)
    everywhere = values @ weights.transpose(0, 1).reshape(agents, states * hidden)
    team = torch.arange(values.shape[0], device=values.device)
    return everywhere.view(-1, hidden).index_select(0, team * states + row)


def _hypernetwork(
    inputs: int, hidden: int, outputs: int, generator: torch.Generator
) -> nn.Sequential:
    return nn.Sequential(
        _layer(inputs, hidden, generator), nn.ReLU(), _layer(hidden, outputs, generator)
    )


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """torch's own initial weights, but from a generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
