"""What lies between an encoder and a head: layers that see one step, or a unit that remembers."""

from __future__ import annotations

import math
from typing import Protocol, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.hosts.mappo.config import Body
from marl_core.hosts.networks import Stack


class Remembers(Protocol):
    """A body that is run step by step, or over whole episodes at once."""

    def step(
        self, inputs: Float[Tensor, "*B N W"], hidden: Float[Tensor, "*B N W"] | None
    ) -> Float[Tensor, "*B N W"]:
        """One step: the output, which is what is remembered too.

        Args:
            inputs: of every agent.
            hidden: what was remembered; None: nothing ever is.
        """

    def unroll(self, inputs: Float[Tensor, "T E N W"]) -> Float[Tensor, "T E N W"]:
        """Whole episodes from their beginnings.

        Args:
            inputs: of every agent in every step.
        """


@final
class Feedforward(nn.Module):
    """A body that sees one step.

    Args:
        width: W.
        generator: where the initial weights come from.
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = Stack.build([width, width], generator, relu=(True,))

    def step(
        self, inputs: Float[Tensor, "*B N W"], hidden: Float[Tensor, "*B N W"] | None
    ) -> Float[Tensor, "*B N W"]:
        """One step.

        Args:
            inputs: of every agent.
            hidden: ignored.
        """
        return self.layers(inputs)

    def unroll(self, inputs: Float[Tensor, "T E N W"]) -> Float[Tensor, "T E N W"]:
        """All steps at once.

        Args:
            inputs: of every agent in every step.
        """
        return self.layers(inputs)


@final
class Recurrent(nn.Module):
    """A gated recurrent unit (Cho et al. 2014); every agent has a memory of its own.

    Args:
        width: W.
        sequence: through how many steps gradients flow back; None: all of them.
        generator: where the initial weights come from.
    """

    def __init__(
        self, width: int, sequence: int | None, generator: torch.Generator
    ) -> None:
        super().__init__()
        # torch's own initial weights would come from the global generator.
        self.unit = nn.GRU(width, width, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for parameter in self.unit.parameters():
                if parameter.dim() == 1:
                    parameter.zero_()
                    continue
                for gate in parameter.chunk(3):
                    nn.init.orthogonal_(gate, generator=generator)
        self._sequence = sequence

    def step(
        self, inputs: Float[Tensor, "*B N W"], hidden: Float[Tensor, "*B N W"] | None
    ) -> Float[Tensor, "*B N W"]:
        """One step: the new memory.

        Args:
            inputs: of every agent.
            hidden: the memory before.
        """
        assert hidden is not None, "a recurrent body remembers"
        return self._run(inputs.unsqueeze(0), hidden)[0]

    def unroll(self, inputs: Float[Tensor, "T E N W"]) -> Float[Tensor, "T E N W"]:
        """The memory after every step of whole episodes.

        What is truncated is the gradient alone. The values are those of the whole episode under the
        present weights, where stored memories would be those of earlier ones.

        Args:
            inputs: of every agent in every step.
        """
        hidden = torch.zeros_like(inputs[0])
        found = []
        for part in inputs.split(self._sequence or len(inputs)):
            found.append(self._run(part, hidden))
            hidden = found[-1][-1].detach()
        return torch.cat(found)

    def _run(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        rows = inputs.flatten(1, -2)
        first = hidden.to(rows.dtype).reshape(1, -1, hidden.shape[-1])
        outputs, _ = self.unit(rows, first)
        return outputs.reshape(inputs.shape)


def body(
    kind: Body, width: int, sequence: int | None, generator: torch.Generator
) -> Feedforward | Recurrent:
    """A body.

    Args:
        kind: whether it remembers.
        width: W.
        sequence: through how many steps gradients flow back.
        generator: where the initial weights come from.
    """
    if kind == "mlp":
        return Feedforward(width, generator)
    return Recurrent(width, sequence, generator)


#: The scale of initial weights before a ReLU.
RELU_GAIN = math.sqrt(2)
