"""Small feed-forward networks of a team: weights shared by all agents, by groups, or by none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.hosts.head_groups import HeadGroups
from marl_core.hosts.parameter_sharing import Groups


class Dense(nn.Module):
    """A layer ``y = x W + b``, with ReLU or without.

    With ``agents`` it is ``y = x W + b + e_i``, as if the agent's one-hot were part of the input.
    ``weight`` is ``[in, out]``; with ``sharing`` it is ``[G, in, out]``, one for each of G groups
    of agents, and ``[N, in, out]`` once every agent has its own copy.

    Args:
        inputs: the width of the input.
        outputs: the width of the output.
        generator: where the initial weights, which are orthogonal, come from.
        relu: whether ReLU is applied to the output.
        gain: the scale of the initial weights.
        agents: N, or 0 where the layer does not see which agent it works for.
        sharing: the group of each agent, counted from 0; agents of a group share weight and bias,
            and each group draws its own. None: all agents share.
    """

    #: The group whose weights an agent has; None: all agents share, or each has its own.
    owner: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        *,
        relu: bool,
        gain: float,
        agents: int = 0,
        sharing: Groups = None,
    ) -> None:
        super().__init__()
        shape = (inputs + agents, outputs)
        joined = _orthogonal(shape, gain, generator, sharing)
        weight = joined[..., :inputs, :].clone()
        self.relu = relu
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(weight.new_zeros(*weight.shape[:-2], outputs))
        self.identity: nn.Parameter | None = None
        if agents:
            self.identity = nn.Parameter(_identities(joined[..., inputs:, :], sharing))
        # It follows from the config, so it is not saved.
        self.register_buffer("owner", _owner(sharing), persistent=False)
        #: Which agents share a copy, where not every agent has its own.
        self.groups: HeadGroups | None = None

    def copy_for_each_agent(self, agents: int) -> None:
        """Give every agent its own weight and bias, equal to the shared ones.

        Args:
            agents: N.
        """
        if self.weight.dim() == 2:
            weight = self.weight.expand(agents, -1, -1)
            bias = self.bias.expand(agents, -1)
        elif self.owner is not None:
            weight, bias = self._of_agents()
            self.owner = None
        else:
            return
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def forward(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        """Run the layer.

        Args:
            inputs: x of every agent.
        """
        shared = self.weight.dim() == 2
        outputs = self._shared(inputs) if shared else self._each_its_own(inputs)
        if self.identity is not None:
            outputs = outputs + self.identity
        return outputs.relu() if self.relu else outputs

    def _shared(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        leading = inputs.shape[:-1]
        outputs = torch.addmm(
            self.bias,
            inputs.flatten(0, -2),
            self.weight,
        )
        return outputs.view(*leading, outputs.shape[-1])

    def _each_its_own(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        leading = inputs.shape[:-1]
        weight, bias = self._of_agents()
        # Not by ``reshape(-1, ...)``, which cannot tell the rows of a layer without inputs.
        rows = inputs.unsqueeze(0).flatten(0, -3)
        by_agent = rows.transpose(0, 1)
        outputs = torch.baddbmm(
            bias.unsqueeze(1),
            by_agent,
            weight,
        )
        return outputs.transpose(0, 1).reshape(*leading, -1)

    def _of_agents(self) -> tuple[Float[Tensor, "N I O"], Float[Tensor, "N O"]]:
        """Each agent's weight and bias, where not all agents share them."""
        if self.owner is not None:
            weight = self.weight.index_select(0, self.owner)
            return weight, self.bias.index_select(0, self.owner)
        if self.groups is not None:
            return self.groups(self.weight), self.groups(self.bias)
        return self.weight, self.bias


def _orthogonal(
    shape: tuple[int, int],
    gain: float,
    generator: torch.Generator,
    sharing: Groups,
) -> Tensor:
    """An orthogonal matrix, or one for each group."""
    count = 1 if sharing is None else max(sharing) + 1
    drawn = []
    for _ in range(count):
        matrix = torch.empty(shape)
        drawn.append(nn.init.orthogonal_(matrix, gain, generator=generator))
    return drawn[0] if sharing is None else torch.stack(drawn)


def _owner(sharing: Groups) -> Tensor | None:
    """The group of each agent, unless all of them share or each is a group of its own."""
    if sharing is None or sharing == tuple(range(len(sharing))):
        return None
    return torch.tensor(sharing)


def _identities(drawn: Tensor, sharing: Groups) -> Float[Tensor, "N O"]:
    """What is added for each agent: its row of what its group has drawn."""
    if sharing is None:
        return drawn.clone()
    return drawn[torch.tensor(sharing), torch.arange(len(sharing))]


class Stack(nn.Module):
    """Layers one after another, ``[*B, N, in]`` to ``[*B, N, out]``.

    Args:
        layers: the output of each is the input of the next.
    """

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
        sharing: Groups = None,
    ) -> Stack:
        """A stack with orthogonal initial weights.

        Args:
            widths: of the input, and of each layer's output.
            generator: where the initial weights come from.
            relu: for each layer, whether ReLU is applied to its output.
            last_gain: the scale of the last layer's initial weights.
            agents: N, if the first layer sees the agents' identities; else 0.
            sharing: the group of each agent, whose layers are its own; None: all agents share.
        """
        layers = []
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            is_last = index == len(relu) - 1
            layer = Dense(
                inputs,
                outputs,
                generator,
                relu=relu[index],
                gain=last_gain if is_last else math.sqrt(2),
                agents=agents if index == 0 else 0,
                sharing=sharing,
            )
            layers.append(layer)
        return cls(layers)

    def copy_for_each_agent(self, agents: int) -> None:
        """Give every agent its own copy of every layer.

        Args:
            agents: N.
        """
        for layer in self._dense:
            layer.copy_for_each_agent(agents)
            if layer.groups is not None:
                layer.groups.tie(layer.weight)
                layer.groups.tie(layer.bias)
                layer.groups = None

    def share_copies(self, groups: Sequence[int]) -> None:
        """Have agents share the copies of their group, after ``copy_for_each_agent``.

        Args:
            groups: the group of each agent. Each lies in one of the groups before.
        """
        shared = self._dense[0].groups or HeadGroups(groups)
        for layer in self._dense:
            if layer.groups is None:
                layer.groups = shared.to(layer.weight.device)
            shared.tie(layer.weight)
            shared.tie(layer.bias)
        shared.change(groups)

    @property
    def _dense(self) -> list[Dense]:
        return [layer for layer in self.layers if isinstance(layer, Dense)]

    def forward(self, inputs: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        """Run all layers.

        Args:
            inputs: of the first layer, for every agent.
        """
        # Environments know nothing of precision 64-true.
        hidden = inputs.to(next(self.parameters()).dtype)
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden
