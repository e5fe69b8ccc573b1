"""Concentration networks (Fu et al. 2022): attention decides which few entities a policy gets to see.

An agent with entity features x_0 (its own) and x_j encodes each, ``v = encode(x)``, and attends to the others by one
query: ``a = softmax((v_0 Wq) . (v_j Wk) / sqrt(W))``. The value is computed from the attention's mean, ``M``; the policy
from the k entities of the greatest attention alone, ``C``. Choosing passes no gradient, so what chooses is trained by
the value.

The encoder's last layer is linear, ``v = h W2 + b2``, and so are keys and values. Hence, exactly: scores are ``h_j . q``
with ``q = v_0 Wq Wk' W2' / sqrt(W)``, up to a constant that the softmax does not see; the mean of the ``v_j`` is that of
the ``h_j``, encoded. Only first layers run on every entity; W2 runs on what was read, keys are never computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.hosts.networks import Dense
from marl_core.types import TensorBatch


@dataclass(frozen=True)
class Surroundings(TensorBatch):
    """What agents see and remember: entities with masks of those that are there. The agent itself is row 0 of ``now``.

    The mask leaves out all rows of who is dead.
    """

    now: Float[Tensor, "*B K F"]
    now_mask: Bool[Tensor, "*B K"]
    past: Float[Tensor, "*B K F"]
    past_mask: Bool[Tensor, "*B K"]


def attention(scores: Float[Tensor, "B J"], mask: Bool[Tensor, "B J"]) -> Float[Tensor, "B J"]:
    """Softmax over the mask; exactly 0 outside of it, and everywhere in a row of which nothing is in the mask."""
    # A finite floor: with -inf, rows without an entity would be NaN, and so would their gradients.
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)


@torch.no_grad()
def most_attended(weights: Float[Tensor, "B J"], count: int) -> Float[Tensor, "B k J"]:
    """The ``count`` greatest of each row as one-hot rows, in descending order; of equals the first comes first.

    As a stable sort would have it. Attention saturates: exact zeros are common, and equal ones are told apart by place.
    """
    left, chosen = weights, []
    for _ in range(count):
        best = left.argmax(-1, keepdim=True)  # torch promises the first of equal maxima
        chosen.append(best)
        left = left.scatter(-1, best, -1.0)
    one_hot = weights.new_zeros(weights.shape[0], count, weights.shape[1])
    return one_hot.scatter_(-1, torch.stack(chosen, 1), 1.0)


@final
class EntityEncoder(nn.Module):
    """v = relu(x W1 + b1) W2 + b2, its two layers apart."""

    def __init__(self, features: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Dense(features, width, generator, relu=True, gain=math.sqrt(2))
        self.second = Dense(width, width, generator, relu=False, gain=1.0)


@dataclass(frozen=True)
class Self:
    """An agent's own row: encoded, and its normalised features."""

    encoded: Float[Tensor, "B W"]
    features: Float[Tensor, "B F"]


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
        self, own: Self, hidden: Float[Tensor, "B J W"], mask: Bool[Tensor, "B J"], second: Dense
    ) -> Float[Tensor, "B J"]:
        """The attention on each entity, given what the encoder's first layer says of it."""
        folded = self.query @ self.key.T @ second.weight.T / math.sqrt(self.query.shape[0])
        query = own.encoded @ folded
        return attention(torch.bmm(hidden, query.unsqueeze(-1)).squeeze(-1), mask)

    def forward(
        self,
        own: Self,
        features: Float[Tensor, "B J F"],
        hidden: Float[Tensor, "B J W"],
        mask: Bool[Tensor, "B J"],
        second: Dense,
        *,
        policy: bool = True,
        value: bool = True,
    ) -> tuple[Float[Tensor, "B W"] | None, Float[Tensor, "B W"] | None]:
        """C for the policy and M for the value; None for what is not asked for."""
        weights = self.attend(own, hidden, mask, second)
        chosen = most_attended(weights, self.count) if policy else None
        readers = ([weights.unsqueeze(1)] if value else []) + ([] if chosen is None else [chosen])
        # One product reads the mean and the chosen ones.
        read = second(torch.bmm(torch.cat(readers, 1), hidden))
        motive = None
        if value:
            mean = read[:, 0] * mask.any(-1, keepdim=True)  # without an entity 0, not the encoder's bias
            motive = self.motive(torch.cat([own.encoded, mean @ self.value], -1))
        if chosen is None:
            return None, motive
        seen = torch.cat([read[:, int(value) :], torch.bmm(chosen, features)], -1)
        return self.focus(torch.cat([own.encoded, own.features, seen.flatten(1)], -1)), motive


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
        second = self.encoder.second
        # Split, not sliced: backward of a split is one concatenation.
        own, hidden = self.encoder.first(now).split([1, now.shape[1] - 1], 1)
        me = Self(second(own.squeeze(1)), now[:, 0])
        found = (
            self.now(me, now[:, 1:], hidden, now_mask[:, 1:], second, policy=policy, value=value),
            self.past(me, past, self.encoder.first(past), past_mask, second, policy=policy, value=value),
        )
        joined = []
        for parts in zip(*found, strict=True):
            there = [part for part in parts if part is not None]
            joined.append(torch.cat(there, -1).unflatten(0, leading) if there else None)
        return joined[0], joined[1]
