"""Concentration networks (Fu et al. 2022): attention decides which entities a policy gets to see.

An agent has entity features x_0 (its own) and x_j (the others'). It encodes each,
``v = encode(x)``, and attends to the others by one query,
``a = softmax((v_0 Wq) . (v_j Wk) / sqrt(W))``. The value is computed from ``M``, the attention's
mean; the policy is computed from ``C``, the k entities with the greatest attention. The choice
passes no gradient on, so what chooses is trained by the value.

The encoder's last layer is linear, ``v = h W2 + b2``, and so are keys and values. From this follow
two exact equations. Scores are ``h_j . q`` with ``q = v_0 Wq Wk' W2' / sqrt(W)``, up to a constant
that the softmax does not see. And the mean of the ``v_j`` is the encoded mean of the ``h_j``. So
only the encoder's first layer runs on every entity: W2 and b2 are folded into the layers that read
the mean and the chosen entities, and keys are never computed.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from marl_core.hosts.conc4hist.attention import Kernels
from marl_core.hosts.conc4hist.block import (
    ConcentrationBlock,
    Entities,
    EntityEncoder,
    Oneself,
)
from marl_core.hosts.conc4hist.surroundings import Surroundings


@final
class ConcentrationNetwork(nn.Module):
    """Two concentration blocks: one on the entities seen now, one on those remembered.

    It takes normalised features.

    Args:
        features: F.
        width: W.
        count: d_c, how many of the entities remembered reach the policy, and one less of those
            seen.
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
        self.encoder = EntityEncoder(features, width, generator)
        self.now = ConcentrationBlock(
            features,
            width,
            count - 1,
            generator,
            kernels,
        )
        self.past = ConcentrationBlock(
            features,
            width,
            count,
            generator,
            kernels,
        )

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
        """C and M of both blocks, ``[C of now, C of the past]`` and ``[M of now, M of the past]``.

        Args:
            around: what agents see and remember.
            policy: whether C is wanted.
            value: whether M is wanted.

        Returns:
            C and M, V = 2 W; None for what is not wanted.
        """
        now = around.now.flatten(0, -2)
        own = around.rows.index_select(0, now[:, 0])
        me = Oneself(self.encoder(own), own)
        second = self.encoder.second
        motives = []
        concentrated = []
        for block, entities in self._groups(around, now):
            found = block.attend(me, entities, self.encoder, choose=policy)
            if value:
                motives.append(block.motivate(me, found, entities, second))
            if policy:
                concentrated.append(block.concentrate(me, found, entities, second))
        leading = around.now.shape[:-1]
        return _joined(concentrated, leading), _joined(motives, leading)

    def _groups(
        self,
        around: Surroundings,
        now: Int[Tensor, "B K"],
    ) -> list[tuple[ConcentrationBlock, Entities]]:
        """The entities of both blocks; the agent itself is entity 0 of now and left out."""
        others = Entities(around.rows, now[:, 1:].contiguous())
        past = Entities(around.rows, around.past.flatten(0, -2))
        return [(self.now, others), (self.past, past)]


def _joined(parts: list[Tensor], leading: torch.Size) -> Float[Tensor, "*B V"] | None:
    """The parts of both blocks side by side, with the leading axes of what came in."""
    return torch.cat(parts, -1).unflatten(0, leading) if parts else None
