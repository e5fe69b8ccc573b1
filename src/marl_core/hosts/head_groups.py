"""Heads that agents share by groups, though every agent has a copy of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn


@final
class HeadGroups(nn.Module):
    """Which agents share a head.

    A group's head is the copy of its first agent. All copies of the group get its gradient, so that
    Adam's moments are there for each once they part. It is divided by the root of the group's size:
    its norm over all copies is then the norm by the shared head.

    Which groups there are follows from how far a run is, so it is not saved.

    Args:
        groups: the group of each agent.
    """

    first: Tensor
    spread: Tensor

    def __init__(self, groups: Sequence[int]) -> None:
        super().__init__()
        agents = len(groups)
        self._groups: tuple[int, ...] = ()
        one = torch.zeros(agents, dtype=torch.int64)
        square = torch.zeros(agents, agents)
        self.register_buffer("first", one, persistent=False)
        self.register_buffer("spread", square, persistent=False)
        self.change(groups)

    def change(self, groups: Sequence[int]) -> None:
        """Set the groups.

        Args:
            groups: the group of each agent.
        """
        if tuple(groups) == self._groups:
            return
        self._groups = tuple(groups)
        each = torch.tensor(self._groups)
        together = each.unsqueeze(1) == each
        agents = torch.arange(len(each))
        self.first.copy_(torch.where(together, agents, len(each)).amin(1))
        size = together.sum(1, keepdim=True)
        self.spread.copy_(together / size.sqrt())

    @torch.no_grad()
    def tie(self, copies: nn.Parameter) -> None:
        """Make the copies of each group equal, which steps of Adam may leave apart by rounding.

        Args:
            copies: a parameter of every agent's head, leading axis N.
        """
        copies.copy_(copies.index_select(0, self.first))

    def forward(self, copies: Float[Tensor, "N *S"]) -> Float[Tensor, "N *S"]:
        """For each agent the copy of its group's first agent.

        Args:
            copies: a parameter of every agent's head.
        """
        shared = copies.detach().index_select(0, self.first)
        spread = self.spread.to(copies.dtype)
        differentiated = torch.tensordot(spread, copies, dims=1)
        # The values are exactly the first agents'; the gradient is that of the second.
        return shared + (differentiated - differentiated.detach())
