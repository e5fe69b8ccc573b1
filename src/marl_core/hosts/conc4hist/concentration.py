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

from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.hosts.conc4hist.block import ConcentrationBlock, EntityEncoder, Oneself
from marl_core.hosts.conc4hist.surroundings import Surroundings


class _Group(NamedTuple):
    """A block, and the entities that it attends to.

    Attributes:
        block: which attends.
        features: of the entities.
        mask: which of them are there.
        first: entities before this one are not for choice.
    """

    block: ConcentrationBlock
    features: Float[Tensor, "B K F"]
    mask: Bool[Tensor, "B K"]
    first: int


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
    """

    def __init__(
        self,
        features: int,
        width: int,
        count: int,
        generator: torch.Generator,
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
        """C and M of both blocks, ``[C of now, C of the past]`` and ``[M of now, M of the past]``.

        Args:
            around: what agents see and remember.
            policy: whether C is wanted.
            value: whether M is wanted.

        Returns:
            C and M, V = 2 W; None for what is not wanted.
        """
        now = around.now.flatten(0, -3)
        me = Oneself(
            self.encoder(now[:, 0]),
            now[:, 0],
        )
        motives = []
        concentrated = []
        for group in self._groups(around, now):
            first = group.first if policy else None
            found = group.block.attend(
                me,
                group.features,
                group.mask,
                self.encoder,
                choose_from=first,
            )
            second = self.encoder.second
            if value:
                motive = group.block.motivate(
                    me,
                    found.mean,
                    group.mask,
                    second,
                )
                motives.append(motive)
            if policy:
                outputs = group.block.concentrate(me, found.chosen, second)
                concentrated.append(outputs)
        leading = around.now_mask.shape[:-1]
        return _joined(concentrated, leading), _joined(motives, leading)

    def _groups(
        self,
        around: Surroundings,
        now: Float[Tensor, "B K F"],
    ) -> tuple[_Group, _Group]:
        """The entities of both blocks; a mask leaves out the agent itself, entity 0 of now."""
        others = (
            torch.arange(
                now.shape[1],
                device=now.device,
            )
            > 0
        )
        now_mask = around.now_mask.flatten(0, -2) & others
        past = around.past.flatten(0, -3)
        past_mask = around.past_mask.flatten(0, -2)
        return (
            _Group(self.now, now, now_mask, 1),
            _Group(self.past, past, past_mask, 0),
        )


def _joined(parts: list[Tensor], leading: torch.Size) -> Float[Tensor, "*B V"] | None:
    """The parts of both blocks side by side, with the leading axes of what came in."""
    return torch.cat(parts, -1).unflatten(0, leading) if parts else None
