"""Mixing networks: from the agents' values to the team's."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

#: With no more states than this it is cheaper to multiply by the weights of all of them than to
#: copy weights for every team.
_FEW_STATES = 16


class MixingWeights(NamedTuple):
    """A two-layer network for each of R states.

    ``Q_tot = second . elu(first q + first_bias) + second_bias``.

    Attributes:
        first: not negative.
        first_bias: anything.
        second: not negative.
        second_bias: anything.
    """

    first: Float[Tensor, "R N H"]
    first_bias: Float[Tensor, "R H"]
    second: Float[Tensor, "R H"]
    second_bias: Float[Tensor, "R"]


class MonotonicMixer(nn.Module):
    """QMIX's mixing network (Rashid et al. 2018): Q_tot never falls when an agent's value rises.

    Hypernetworks turn the state into the weights of ``Q_tot = w2 . elu(W1 q + b1) + b2``, made
    non-negative by their absolute value. Two layers lie between the state and most of the weights,
    so only their last bias acts on all states alike.

    Args:
        state_features: S.
        agents: N.
        hidden: H, the width of the mixing network and of the hypernetworks.
        generator: where the initial weights come from.
    """

    def __init__(
        self,
        state_features: int,
        agents: int,
        hidden: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._agents = agents
        self._hidden = hidden
        self.first = _hypernetwork(
            state_features,
            hidden,
            agents * hidden,
            generator,
        )
        self.first_bias = _layer(state_features, hidden, generator)
        self.second = _hypernetwork(state_features, hidden, hidden, generator)
        self.second_bias = _hypernetwork(state_features, hidden, 1, generator)

    def weights(self, state: Float[Tensor, "R S"]) -> MixingWeights:
        """The mixing networks of R states.

        Args:
            state: ``[R, S]``.
        """
        state = state.to(self.first_bias.weight.dtype)
        first = self.first(state).abs().view(-1, self._agents, self._hidden)
        return MixingWeights(
            first,
            self.first_bias(state),
            self.second(state).abs(),
            self.second_bias(state).squeeze(-1),
        )


def mix(
    values: Float[Tensor, "B N"],
    weights: MixingWeights,
    state: Int[Tensor, "B"] | None = None,
) -> Float[Tensor, "B"]:
    """Q_tot of B teams.

    Args:
        values: the agents' own.
        weights: the mixing networks of R states.
        state: which of the R states each team is in; None: team ``b`` is in state ``b``.
    """
    if state is None:
        hidden = torch.bmm(values.unsqueeze(1), weights.first).squeeze(1)
        first_bias = weights.first_bias
        second = weights.second
        second_bias = weights.second_bias
    else:
        hidden = _first_layer(values, weights.first, state)
        first_bias = weights.first_bias.index_select(0, state)
        second = weights.second.index_select(0, state)
        second_bias = weights.second_bias.index_select(0, state)
    activated = nn.functional.elu(hidden + first_bias)
    return (activated * second).sum(-1) + second_bias


def _first_layer(
    values: Float[Tensor, "B N"],
    weights: Float[Tensor, "R N H"],
    state: Int[Tensor, "B"],
) -> Float[Tensor, "B H"]:
    """The product of each team's values and the weights of its state."""
    states, agents, hidden = weights.shape
    if states > _FEW_STATES:
        own = weights.index_select(0, state)
        return torch.bmm(values.unsqueeze(1), own).squeeze(1)
    side_by_side = weights.transpose(0, 1).reshape(agents, states * hidden)
    in_every_state = (values @ side_by_side).view(-1, hidden)
    team = torch.arange(
        values.shape[0],
        device=values.device,
    )
    return in_every_state.index_select(0, team * states + state)


def _hypernetwork(
    inputs: int,
    hidden: int,
    outputs: int,
    generator: torch.Generator,
) -> nn.Sequential:
    first = _layer(inputs, hidden, generator)
    return nn.Sequential(
        first,
        nn.ReLU(),
        _layer(hidden, outputs, generator),
    )


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with torch's own distribution of initial weights, drawn from a generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
