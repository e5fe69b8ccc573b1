"""What lies between an encoder and a head: layers that see one step, or a unit that remembers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.hosts.networks import Dense, Stack
from marl_core.hosts.parameter_sharing import Groups

#: Whether a network remembers: it does with a gated recurrent unit.
Body = Literal["mlp", "gru"]


@final
class Feedforward(nn.Module):
    """A body that sees one step.

    Args:
        width: W.
        generator: where the initial weights come from.
        sharing: the group of each agent, whose weights are its own; None: all agents share.
    """

    def __init__(
        self, width: int, generator: torch.Generator, sharing: Groups = None
    ) -> None:
        super().__init__()
        widths = [width, width]
        self.layers = Stack.build(widths, generator, relu=(True,), sharing=sharing)

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


class _Remembering(nn.Module):
    """A body in which every agent has a memory of its own. Abstract base.

    Args:
        sequence: through how many steps gradients flow back; None: all of them.
    """

    def __init__(self, sequence: int | None) -> None:
        super().__init__()
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
        return self._run(inputs.unsqueeze(0), hidden.to(inputs.dtype))[0]

    def unroll(self, inputs: Float[Tensor, "T E N W"]) -> Float[Tensor, "T E N W"]:
        """The memory after every step of whole episodes, with the gradient cut after each sequence.

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
        """The memory after each step, ``[T, *B, N, W]``.

        Args:
            inputs: of every agent in every step.
            hidden: the memory before the first of them.
        """
        raise NotImplementedError


@final
class Recurrent(_Remembering):
    """A gated recurrent unit (Cho et al. 2014); every agent has a memory of its own.

    Args:
        width: W.
        sequence: through how many steps gradients flow back; None: all of them.
        generator: where the initial weights come from.
    """

    def __init__(
        self, width: int, sequence: int | None, generator: torch.Generator
    ) -> None:
        super().__init__(sequence)
        # torch's own initial weights would come from the global generator.
        self.unit = nn.GRU(width, width, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for parameter in self.unit.parameters():
                if parameter.dim() == 1:
                    parameter.zero_()
                    continue
                for gate in parameter.chunk(3):
                    nn.init.orthogonal_(gate, generator=generator)

    def _run(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        rows = inputs.flatten(1, -2)
        first = hidden.to(rows.dtype).reshape(1, -1, hidden.shape[-1])
        outputs, _ = self.unit(rows, first)
        return outputs.reshape(inputs.shape)


@final
class GroupedRecurrent(_Remembering):
    """A gated recurrent unit whose weights are shared within groups of agents alone.

    With torch's convention for the gates (``torch.nn.GRU``)::

        r = sigmoid(x_r + h_r),  z = sigmoid(x_z + h_z),  n = tanh(x_n + r * h_n)
        h' = (1 - z) * n + z * h

    where ``x_r, x_z, x_n`` are a layer's outputs of the input and ``h_r, h_z, h_n`` of the memory.

    Args:
        width: W.
        sequence: through how many steps gradients flow back; None: all of them.
        generator: where the initial weights come from.
        sharing: the group of each agent.
    """

    def __init__(
        self,
        width: int,
        sequence: int | None,
        generator: torch.Generator,
        sharing: tuple[int, ...],
    ) -> None:
        super().__init__(sequence)
        self.of_input = _gates(width, generator, sharing)
        self.of_memory = _gates(width, generator, sharing)

    def _run(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        found = []
        for seen in self.of_input(inputs):
            hidden = self._next(seen, hidden)
            found.append(hidden)
        return torch.stack(found)

    def _next(self, seen: Tensor, hidden: Tensor) -> Tensor:
        x_r, x_z, x_n = seen.chunk(3, -1)
        h_r, h_z, h_n = self.of_memory(hidden).chunk(3, -1)
        reset = (x_r + h_r).sigmoid()
        update = (x_z + h_z).sigmoid()
        candidate = (x_n + reset * h_n).tanh()
        return torch.lerp(candidate, hidden, update)


def _gates(width: int, generator: torch.Generator, sharing: Groups) -> Dense:
    """A layer with an orthogonal matrix for each of the three gates."""
    layer = Dense(
        width,
        3 * width,
        generator,
        relu=False,
        gain=1.0,
        sharing=sharing,
    )
    with torch.no_grad():
        for matrices in layer.weight.chunk(3, -1):
            for matrix in matrices:
                nn.init.orthogonal_(matrix, generator=generator)
    return layer


def body(
    kind: Body,
    width: int,
    sequence: int | None,
    generator: torch.Generator,
    sharing: Groups = None,
) -> Feedforward | Recurrent | GroupedRecurrent:
    """A body.

    Args:
        kind: whether it remembers.
        width: W.
        sequence: through how many steps gradients flow back.
        generator: where the initial weights come from.
        sharing: the group of each agent, whose weights are its own; None: all agents share.
    """
    if kind == "mlp":
        return Feedforward(width, generator, sharing)
    if sharing is None:
        return Recurrent(width, sequence, generator)
    return GroupedRecurrent(width, sequence, generator, sharing)


def memory_before(
    after: Float[Tensor, "T E N W"], steps: Sequence[int]
) -> Float[Tensor, "S E N W"]:
    """What agents remembered before some steps.

    Args:
        after: what they remember after each step of whole episodes.
        steps: S of them.
    """
    before = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
    return before[list(steps)]


#: The scale of initial weights before a ReLU.
RELU_GAIN = math.sqrt(2)
