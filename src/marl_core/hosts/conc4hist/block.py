"""A concentration block: attention over a group of entities, and what comes of it."""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.hosts.conc4hist.attention import Attended, Readout, attend
from marl_core.hosts.networks import Dense

#: The gain of initial weights before a ReLU.
_RELU_GAIN = math.sqrt(2)


class Oneself(NamedTuple):
    """An agent's own row.

    Attributes:
        encoded: v_0.
        features: x_0, normalised.
    """

    encoded: Float[Tensor, "B W"]
    features: Float[Tensor, "B F"]


@final
class EntityEncoder(nn.Module):
    """``v = relu(x W1 + b1) W2 + b2``, its two layers apart.

    Args:
        features: F.
        width: W.
        generator: where the initial weights come from.
    """

    def __init__(self, features: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Dense(features, width, generator, relu=True, gain=_RELU_GAIN)
        self.second = Dense(width, width, generator, relu=False, gain=1.0)

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B W"]:
        """Encode entities.

        Args:
            features: x.
        """
        return self.second(self.first(features))


@final
class ConcentrationBlock(nn.Module):
    """Attention of one query over a group of entities, and the most attended of them.

    Args:
        features: F.
        width: W.
        count: k, how many entities reach the policy.
        generator: where the initial weights come from.
    """

    def __init__(
        self,
        features: int,
        width: int,
        count: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.count = count
        self.query = _square(width, generator)
        self.key = _square(width, generator)
        self.value = _square(width, generator)
        self.motive = Dense(
            2 * width,
            width,
            generator,
            relu=True,
            gain=_RELU_GAIN,
        )
        inputs = (count + 1) * (width + features)
        self.focus = Dense(inputs, width, generator, relu=True, gain=_RELU_GAIN)

    def critic_parameters(self) -> list[nn.Parameter]:
        """The attention, and what the value is computed from."""
        return [self.query, self.key, self.value, *self.motive.parameters()]

    def attend(
        self,
        me: Oneself,
        features: Float[Tensor, "B J F"],
        mask: Bool[Tensor, "B J"],
        encoder: EntityEncoder,
        *,
        choose_from: int | None = None,
    ) -> Attended:
        """Attend to the entities.

        Args:
            me: the agent's own row.
            features: of the entities, normalised.
            mask: which of them are there.
            encoder: encodes entities.
            choose_from: entities before this one are not for choice; None: nothing is chosen.

        Returns:
            The attention, its mean in the encoder's hidden layer, and what the chosen entities add
            to the layer ``focus``.
        """
        first = encoder.first
        second = encoder.second
        keys = self.query @ self.key.T @ second.weight.T
        folded = keys / math.sqrt(self.query.shape[0])
        readout = None
        if choose_from is not None:
            readout = self._readout(choose_from, second)
        query = me.encoded @ folded
        return attend(
            query,
            features,
            mask,
            first.weight,
            first.bias,
            readout,
        )

    def _readout(self, choose_from: int, second: Dense) -> Readout:
        """The chosen entities' rows of ``focus``, with the encoder's second layer folded in."""
        _, by_encoded, _, by_features = self._focus_rows()
        by_hidden = second.weight @ by_encoded.unflatten(0, (self.count, -1))
        return Readout(
            self.count,
            choose_from,
            by_hidden.flatten(0, 1),
            by_features,
        )

    def _focus_rows(self) -> tuple[Tensor, ...]:
        """The rows of ``focus``, by what they are multiplied with.

        In this order: oneself encoded, the chosen encoded, own features, features of the chosen.
        """
        width = self.query.shape[0]
        features = self.focus.weight.shape[0] // (self.count + 1) - width
        sizes = [width, self.count * width, features, self.count * features]
        return self.focus.weight.split(sizes)

    def motivate(
        self,
        me: Oneself,
        mean: Float[Tensor, "B W"],
        mask: Bool[Tensor, "B J"],
        second: Dense,
    ) -> Float[Tensor, "B W"]:
        """M, what the value is computed from.

        Args:
            me: the agent's own row.
            mean: of the encoder's hidden layer, by the attention.
            mask: which entities are there.
            second: the encoder's second layer.
        """
        by_me, by_mean = self.motive.weight.chunk(2)
        by_value = self.value @ by_mean
        outputs = torch.addmm(
            self.motive.bias,
            me.encoded,
            by_me,
        )
        outputs = outputs.addmm(mean, second.weight @ by_value)
        # Without an entity the mean is 0, not the encoder's bias.
        there = mask.any(-1, keepdim=True).to(mean.dtype)
        bias = (second.bias @ by_value).unsqueeze(0)
        return outputs.addmm(there, bias).relu()

    def concentrate(
        self,
        me: Oneself,
        chosen: Float[Tensor, "B W"],
        second: Dense,
    ) -> Float[Tensor, "B W"]:
        """C, what the policy is computed from.

        Args:
            me: the agent's own row.
            chosen: what the chosen entities add.
            second: the encoder's second layer.
        """
        by_me, by_encoded, by_features, _ = self._focus_rows()
        # The encoder's bias, once for each of the chosen entities.
        by_bias = by_encoded.unflatten(0, (self.count, -1)).sum(0)
        bias = self.focus.bias + second.bias @ by_bias
        outputs = torch.addmm(bias, me.encoded, by_me)
        return outputs.addmm(me.features, by_features).add(chosen).relu()


def _square(width: int, generator: torch.Generator) -> nn.Parameter:
    empty = torch.empty(width, width)
    return nn.Parameter(nn.init.orthogonal_(empty, generator=generator))
