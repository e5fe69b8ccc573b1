"""Concentration networks (Fu et al. 2022): attention decides which few entities a policy gets to see.

An agent with entity features x_0 (its own) and x_j encodes each, ``v = encode(x)``, and attends to the others by one
query: ``a = softmax((v_0 Wq) . (v_j Wk) / sqrt(W))``. The value is computed from the attention's mean, ``M``; the
policy from the k entities of the greatest attention alone, ``C``. Choosing passes no gradient, so what chooses is
trained by the value.

The encoder's last layer is linear, ``v = h W2 + b2``; so are keys and values. Hence, exactly: scores are ``h_j . q``
with ``q = v_0 Wq Wk' W2' / sqrt(W)``, up to a constant that the softmax does not see; the mean of the ``v_j`` is that
of the ``h_j``, encoded. Only the encoder's first layer runs on every entity; W2 runs on what was read, keys are never
computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.hosts.attention import attend, most_attended
from marl_core.hosts.networks import Dense
from marl_core.types import TensorBatch


@dataclass(frozen=True)
class Surroundings(TensorBatch):
    """What agents see and remember: entities with masks of those that are there. The agent itself is row 0 of ``now``.

    The masks leave out all rows of who is dead.
    """

    now: Float[Tensor, "*B K F"]
    now_mask: Bool[Tensor, "*B K"]
    past: Float[Tensor, "*B K F"]
    past_mask: Bool[Tensor, "*B K"]


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

    def __init__(self, features: int, width: int, count: int, generator: torch.Generator) -> None:
        super().__init__()
        self.count = count
        self.query, self.key, self.value = (_square(width, generator) for _ in range(3))
        self.motive = Dense(2 * width, width, generator, relu=True, gain=math.sqrt(2))
        self.focus = Dense((count + 1) * (width + features), width, generator, relu=True, gain=math.sqrt(2))

    def critic_parameters(self) -> list[nn.Parameter]:
        """The attention and what the value is computed from."""
        return [self.query, self.key, self.value, *self.motive.parameters()]

    def attend(
        self, me: Oneself, hidden: Float[Tensor, "B J W"], mask: Bool[Tensor, "B J"], second: Dense
    ) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B J"]]:
        """Mean of the entities and the attention on each, given what the encoder's first layer says of them."""
        folded = self.query @ self.key.T @ second.weight.T / math.sqrt(self.query.shape[0])
        mean, weights = attend(me.encoded @ folded, hidden, mask)
        # Without an entity 0, not the encoder's bias.
        return second(mean) * mask.any(-1, keepdim=True), weights

    def motivate(self, me: Oneself, mean: Float[Tensor, "B W"]) -> Float[Tensor, "B W"]:
        """M, what the value is computed from."""
        return self.motive(torch.cat([me.encoded, mean @ self.value], -1))

    def concentrate(
        self,
        me: Oneself,
        weights: Float[Tensor, "B J"],
        features: Float[Tensor, "B J F"],
        hidden: Float[Tensor, "B J W"],
        second: Dense,
        *,
        first: int,
    ) -> Float[Tensor, "B W"]:
        """C, what the policy is computed from. Entities before ``first`` are not for choice."""
        size = weights.shape[0]
        chosen = most_attended(weights[:, first:], self.count) + first
        row = (chosen + weights.shape[1] * torch.arange(size, device=chosen.device).unsqueeze(-1)).flatten()
        encoded = second(hidden.flatten(0, 1).index_select(0, row)).view(size, -1)
        own = features.flatten(0, 1).index_select(0, row).view(size, -1)
        return self.focus(torch.cat([me.encoded, encoded, me.features, own], -1))


def _square(width: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(nn.init.orthogonal_(torch.empty(width, width), generator=generator))


@final
class ConcentrationNetwork(nn.Module):
    """Two concentration blocks: one on the entities seen now, one on those remembered.

    Takes normalised features. ``count`` is d_c: of those remembered so many are kept, of those seen one less.
    """

    def __init__(self, features: int, width: int, count: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = EntityEncoder(features, width, generator)
        self.now = ConcentrationBlock(features, width, count - 1, generator)
        self.past = ConcentrationBlock(features, width, count, generator)

    def critic_parameters(self) -> list[nn.Parameter]:
        """What only the value can train."""
        return [*self.now.critic_parameters(), *self.past.critic_parameters()]

    def actor_parameters(self) -> list[nn.Parameter]:
        """What the policy is computed with, the choice of entities apart."""
        return [*self.encoder.parameters(), *self.now.focus.parameters(), *self.past.focus.parameters()]

    def forward(
        self, around: Surroundings, *, policy: bool = True, value: bool = True
    ) -> tuple[Float[Tensor, "*B V"] | None, Float[Tensor, "*B V"] | None]:
        """[C of now, C of the past] and [M of now, M of the past], V = 2 W; None for what is not asked for."""
        leading = around.now_mask.shape[:-1]
        now, past = around.now.flatten(0, -3), around.past.flatten(0, -3)
        now_mask, past_mask = around.now_mask.flatten(0, -2), around.past_mask.flatten(0, -2)
        first, second = self.encoder.first, self.encoder.second
        # The own row by itself, a second time: less work than to cut it out of the gradient of all.
        me = Oneself(second(first(now[:, 0])), now[:, 0])
        others = torch.arange(now.shape[1], device=now.device) > 0
        motives, concentrated = [], []
        for block, features, mask, start in (
            (self.now, now, now_mask & others, 1),
            (self.past, past, past_mask, 0),
        ):
            hidden = first(features)
            mean, weights = block.attend(me, hidden, mask, second)
            if value:
                motives.append(block.motivate(me, mean))
            if policy:
                concentrated.append(block.concentrate(me, weights, features, hidden, second, first=start))
        return (
            torch.cat(concentrated, -1).unflatten(0, leading) if policy else None,
            torch.cat(motives, -1).unflatten(0, leading) if value else None,
        )
