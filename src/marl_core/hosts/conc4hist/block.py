"""A concentration block: attention over a group of entities, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from marl_core.hosts.conc4hist.attention import Attended, Kernels, attend
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


@dataclass(frozen=True)
class Entities:
    """Entities to which agents may attend.

    Attributes:
        rows: of all entities, normalised; the last stands where no entity is.
        index: the rows of each agent's entities.
    """

    rows: Float[Tensor, "rows F"]
    index: Int[Tensor, "B J"]

    def features_at(self, places: Int[Tensor, "B k"]) -> Float[Tensor, "B kF"]:
        """The features of some of each agent's entities, side by side.

        Args:
            places: which ones.
        """
        chosen = self.index.gather(1, places)
        rows = self.rows.index_select(0, chosen.flatten())
        return rows.view(places.shape[0], places.shape[1] * rows.shape[1])


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
        kernels: what computes the attention.
    """

    def __init__(
        self,
        features: int,
        width: int,
        count: int,
        generator: torch.Generator,
        kernels: Kernels = "torch",
    ) -> None:
        super().__init__()
        self.count = count
        self.kernels = kernels
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
        entities: Entities,
        encoder: EntityEncoder,
        *,
        choose: bool,
    ) -> Attended:
        """Attend to the entities.

        Args:
            me: the agent's own row.
            entities: to which the agents may attend.
            encoder: encodes entities.
            choose: whether the most attended are wanted.

        Returns:
            The attention, its mean in the encoder's hidden layer, and the most attended there.
        """
        first = encoder.first
        keys = self.query @ self.key.T @ encoder.second.weight.T
        folded = keys / math.sqrt(self.query.shape[0])
        query = me.encoded @ folded
        return attend(
            query,
            entities.rows,
            entities.index,
            first.weight,
            first.bias,
            self.count if choose else 0,
            self.kernels,
        )

    def motivate(
        self,
        me: Oneself,
        found: Attended,
        entities: Entities,
        second: Dense,
    ) -> Float[Tensor, "B W"]:
        """M, what the value is computed from.

        Args:
            me: the agent's own row.
            found: by the attention.
            entities: to which the agents attended.
            second: the encoder's second layer.
        """
        mean = found.mean
        by_me, by_mean = self.motive.weight.chunk(2)
        by_value = self.value @ by_mean
        outputs = torch.addmm(
            self.motive.bias,
            me.encoded,
            by_me,
        )
        outputs = outputs.addmm(mean, second.weight @ by_value)
        # Without an entity the mean is 0, not the encoder's bias.
        nobody = entities.rows.shape[0] - 1
        there = (entities.index != nobody).any(-1, keepdim=True)
        bias = (second.bias @ by_value).unsqueeze(0)
        return outputs.addmm(there.to(mean.dtype), bias).relu()

    def concentrate(
        self,
        me: Oneself,
        found: Attended,
        entities: Entities,
        second: Dense,
    ) -> Float[Tensor, "B W"]:
        """C, what the policy is computed from.

        Args:
            me: the agent's own row.
            found: by the attention.
            entities: to which the agents attended.
            second: the encoder's second layer.
        """
        by_me, by_encoded, by_features, by_chosen = self._focus_rows()
        # The encoder's second layer is linear: its weight and its bias, once for each of the
        # chosen entities, are folded in here.
        encoded = by_encoded.unflatten(0, (self.count, -1))
        by_hidden = (second.weight @ encoded).flatten(0, 1)
        bias = self.focus.bias + second.bias @ encoded.sum(0)
        features = entities.features_at(found.places)
        chosen = found.chosen.flatten(1) @ by_hidden
        outputs = torch.addmm(bias, me.encoded, by_me)
        outputs = outputs.addmm(me.features, by_features)
        return outputs.add(chosen.addmm(features, by_chosen)).relu()

    def _focus_rows(self) -> tuple[Tensor, ...]:
        """The rows of ``focus``, by what they are multiplied with.

        In this order: oneself encoded, the chosen encoded, own features, features of the chosen.
        """
        width = self.query.shape[0]
        features = self.focus.weight.shape[0] // (self.count + 1) - width
        sizes = [width, self.count * width, features, self.count * features]
        return self.focus.weight.split(sizes)


def _square(width: int, generator: torch.Generator) -> nn.Parameter:
    empty = torch.empty(width, width)
    return nn.Parameter(nn.init.orthogonal_(empty, generator=generator))
