"""Concentration networks (Fu et al. 2022): attention decides which few entities a policy gets to see.

An agent with entity features x_0 (its own) and x_j encodes each, ``v = encode(x)``, and attends to the others by one
query: ``a = softmax((v_0 Wq) . (v_j Wk) / sqrt(W))``. The value is computed from the attention's mean, ``M``; the
policy from the k entities of the greatest attention alone, ``C``. Choosing passes no gradient, so what chooses is
trained by the value.

The encoder's last layer is linear, ``v = h W2 + b2``; so are keys and values. Hence, exactly: scores are ``h_j . q``
with ``q = v_0 Wq Wk' W2' / sqrt(W)``, up to a constant that the softmax does not see; the mean of the ``v_j`` is that
of the ``h_j``, encoded. Only the encoder's first layer runs on every entity. W2 and b2 are folded into the layers that
read mean and chosen entities; keys are never computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.hosts.conc4hist.attention import Attended, Readout, attend
from marl_core.hosts.networks import Dense
from marl_core.types import Memory, Observation, TensorBatch


@dataclass(frozen=True)
class Surroundings(TensorBatch):
    """What agents see and remember: entities with masks of those that are there. The agent itself is row 0 of ``now``.

    The masks leave out all rows of who is dead.
    """

    now: Float[Tensor, "*B K F"]
    now_mask: Bool[Tensor, "*B K"]
    past: Float[Tensor, "*B K F"]
    past_mask: Bool[Tensor, "*B K"]

    @classmethod
    def of(cls, observation: Observation, memory: Memory) -> Surroundings:
        """What everybody sees, and remembers by a memory of ``past`` and ``past_mask``; the dead do neither."""
        now = observation.entities
        assert now is not None
        past, past_mask, mask = (
            memory["past"],
            memory["past_mask"],
            observation.entity_mask,
        )
        if mask is None:
            mask = torch.ones(now.shape[:-1], dtype=torch.bool, device=now.device)
        if observation.alive is None:
            return cls(now, mask, past, past_mask)
        alive = observation.alive.unsqueeze(-1)
        return cls(now, mask & alive, past, past_mask & alive)


class Oneself(NamedTuple):
    """An agent's own row: encoded, and its normalised features."""

    encoded: Float[Tensor, "B W"]
    features: Float[Tensor, "B F"]


@final
class EntityEncoder(nn.Module):
    """v = relu(x W1 + b1) W2 + b2, its two layers apart."""

    def __init__(self, features: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Dense(features, width, generator, relu=True, gain=math.sqrt(2))
        self.second = Dense(width, width, generator, relu=False, gain=1.0)


@final
class ConcentrationBlock(nn.Module):
    """Attention of one query over a group of entities, and the ``count`` most attended of them."""

    def __init__(
        self, features: int, width: int, count: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.count = count
        self.query, self.key, self.value = (_square(width, generator) for _ in range(3))
        self.motive = Dense(2 * width, width, generator, relu=True, gain=math.sqrt(2))
        self.focus = Dense(
            (count + 1) * (width + features),
            width,
            generator,
            relu=True,
            gain=math.sqrt(2),
        )

    def critic_parameters(self) -> list[nn.Parameter]:
        """The attention and what the value is computed from."""
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
        """Attention over the entities, its mean in the encoder's hidden layer, and what the chosen add to ``focus``.

        Entities before ``choose_from`` are not for choice. None: nothing is chosen.
        """
        first, second = encoder.first, encoder.second
        folded = (
            self.query @ self.key.T @ second.weight.T / math.sqrt(self.query.shape[0])
        )
        readout = None if choose_from is None else self._readout(choose_from, second)
        return attend(
            me.encoded @ folded, features, mask, first.weight, first.bias, readout
        )

    def _readout(self, choose_from: int, second: Dense) -> Readout:
        """The chosen entities' rows of the layer ``focus``, the encoder's second layer folded in."""
        _, by_hidden, _, by_features = self._focus_rows()
        folded = second.weight @ by_hidden.unflatten(0, (self.count, -1))
        return Readout(self.count, choose_from, folded.flatten(0, 1), by_features)

    def _focus_rows(self) -> tuple[Tensor, ...]:
        """The rows of ``focus`` for: oneself encoded, the chosen encoded, own features, features of the chosen."""
        width = self.query.shape[0]
        features = self.focus.weight.shape[0] // (self.count + 1) - width
        return self.focus.weight.split(
            [width, self.count * width, features, self.count * features]
        )

    def motivate(
        self,
        me: Oneself,
        mean: Float[Tensor, "B W"],
        mask: Bool[Tensor, "B J"],
        second: Dense,
    ) -> Float[Tensor, "B W"]:
        """M, what the value is computed from."""
        by_me, by_mean = self.motive.weight.chunk(2)
        by_value = self.value @ by_mean
        outputs = torch.addmm(self.motive.bias, me.encoded, by_me).addmm(
            mean, second.weight @ by_value
        )
        # Without an entity the mean is 0, not the encoder's bias.
        there = mask.any(-1, keepdim=True).to(mean.dtype)
        return outputs.addmm(there, (second.bias @ by_value).unsqueeze(0)).relu()

    def concentrate(
        self, me: Oneself, chosen: Float[Tensor, "B W"], second: Dense
    ) -> Float[Tensor, "B W"]:
        """C, what the policy is computed from, given what the chosen add."""
        by_me, by_hidden, by_features, _ = self._focus_rows()
        # The encoder's bias, once for each of the chosen.
        bias = self.focus.bias + second.bias @ by_hidden.unflatten(
            0, (self.count, -1)
        ).sum(0)
        return (
            torch.addmm(bias, me.encoded, by_me)
            .addmm(me.features, by_features)
            .add(chosen)
            .relu()
        )


def _square(width: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(
        nn.init.orthogonal_(torch.empty(width, width), generator=generator)
    )


@final
class ConcentrationNetwork(nn.Module):
    """Two concentration blocks: one on the entities seen now, one on those remembered.

    Takes normalised features. ``count`` is d_c: of those remembered so many are kept, of those seen one less.
    """

    def __init__(
        self, features: int, width: int, count: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.encoder = EntityEncoder(features, width, generator)
        self.now = ConcentrationBlock(features, width, count - 1, generator)
        self.past = ConcentrationBlock(features, width, count, generator)

    def critic_parameters(self) -> list[nn.Parameter]:
        """What only the value can train."""
        return [*self.now.critic_parameters(), *self.past.critic_parameters()]

    def actor_parameters(self) -> list[nn.Parameter]:
        """What the policy is computed with, the choice of entities apart."""
        return [
            *self.encoder.parameters(),
            *self.now.focus.parameters(),
            *self.past.focus.parameters(),
        ]

    def forward(
        self, around: Surroundings, *, policy: bool = True, value: bool = True
    ) -> tuple[Float[Tensor, "*B V"] | None, Float[Tensor, "*B V"] | None]:
        """[C of now, C of the past] and [M of now, M of the past], V = 2 W; None for what is not asked for."""
        leading = around.now_mask.shape[:-1]
        now, past = around.now.flatten(0, -3), around.past.flatten(0, -3)
        now_mask, past_mask = (
            around.now_mask.flatten(0, -2),
            around.past_mask.flatten(0, -2),
        )
        me = Oneself(self.encoder.second(self.encoder.first(now[:, 0])), now[:, 0])
        others = torch.arange(now.shape[1], device=now.device) > 0
        motives, concentrated = [], []
        for block, features, mask, start in (
            (self.now, now, now_mask & others, 1),
            (self.past, past, past_mask, 0),
        ):
            found = block.attend(
                me, features, mask, self.encoder, choose_from=start if policy else None
            )
            if value:
                motives.append(
                    block.motivate(me, found.mean, mask, self.encoder.second)
                )
            if policy:
                concentrated.append(
                    block.concentrate(me, found.chosen, self.encoder.second)
                )
        return (
            torch.cat(concentrated, -1).unflatten(0, leading) if policy else None,
            torch.cat(motives, -1).unflatten(0, leading) if value else None,
        )
