"""The samples of living agents, packed into rows as long as a team, and cut into parts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class ActingSamples:
    """The samples of living agents in R rows of N, so that networks made for teams can take them.

    There are a few more places than samples.

    Attributes:
        index: which sample of a flattened ``[T, E, N]`` is in each place. Where ``valid`` is not
            set it means nothing, though it is in range.
        valid: which places hold a sample.
    """

    index: Int[Tensor, "R N"]
    valid: Bool[Tensor, "R N"]

    @classmethod
    def of(
        cls,
        acting: Bool[Tensor, "T E N"],
        *,
        by_agent: bool,
    ) -> ActingSamples:
        """The samples of living agents.

        Args:
            acting: which these are.
            by_agent: whether column i has to hold samples of agent i alone, as heads of the agents'
                own need it.
        """
        return _by_agent(acting) if by_agent else _packed(acting)

    def split(self, minibatches: int) -> tuple[ActingSamples, list[slice]]:
        """Split the rows round-robin into equal minibatches.

        A minibatch has at least one row, so that all ranks have the same number of minibatches.

        Args:
            minibatches: how many there are to be.

        Returns:
            The rows in a new order, one minibatch after the other, and the rows of each.
        """
        size = max(
            1,
            -(-len(self.index) // minibatches),
        )
        rows = minibatches * size
        padding = (0, 0, 0, rows - len(self.index))
        index = nn.functional.pad(self.index, padding)
        valid = nn.functional.pad(self.valid, padding)
        in_turn = torch.arange(rows, device=index.device).view(size, minibatches)
        order = in_turn.T.flatten()
        parts = [
            slice(
                i * size,
                (i + 1) * size,
            )
            for i in range(minibatches)
        ]
        reordered = ActingSamples(index[order], valid[order])
        return reordered, parts

    def microbatches(self, samples: int, of: slice | None = None) -> list[slice]:
        """Cut rows into microbatches of nearly equal size, to be learnt from one after the other.

        Args:
            samples: the most samples that a microbatch may have; it has at least one row.
            of: the rows that are cut; None: all of them.
        """
        whole = range(len(self.index))[of or slice(None)]
        most_rows = max(
            1,
            samples // self.index.shape[1],
        )
        count = max(
            1,
            -(-len(whole) // most_rows),
        )
        ends = [whole.start + len(whole) * i // count for i in range(count + 1)]
        return [slice(start, end) for start, end in pairwise(ends)]

    def take(self, values: Tensor) -> Tensor:
        """The entries of the samples, packed.

        Args:
            values: ``[T, E, N, ...]``.

        Returns:
            ``[R, N, ...]``.
        """
        taken = values.flatten(0, 2).index_select(0, self.index.flatten())
        return taken.unflatten(0, self.index.shape)

    def put(
        self,
        values: Float[Tensor, "R N"],
        shape: torch.Size,
    ) -> Float[Tensor, "T E N"]:
        """The inverse of ``take``; entries without a sample are 0.

        Args:
            values: packed.
            shape: (T, E, N).
        """
        # One place more takes what is no sample.
        nowhere = shape.numel()
        unpacked = values.new_zeros(nowhere + 1)
        place = torch.where(self.valid, self.index, nowhere)
        unpacked.scatter_(0, place.flatten(), values.flatten())
        return unpacked[:-1].view(shape)


def _packed(acting: Bool[Tensor, "T E N"]) -> ActingSamples:
    """One sample after the other, row by row."""
    agents = acting.shape[-1]
    samples = acting.flatten().nonzero().squeeze(-1)
    missing = -len(samples) % agents
    places = torch.arange(
        len(samples) + missing,
        device=acting.device,
    )
    valid = places < len(samples)
    index = nn.functional.pad(samples, (0, missing))
    return ActingSamples(
        index.view(-1, agents),
        valid.view(-1, agents),
    )


def _by_agent(acting: Bool[Tensor, "T E N"]) -> ActingSamples:
    """The samples of agent i one below the other in column i."""
    agents = acting.shape[-1]
    flat = acting.flatten(0, 1)
    rows = int(flat.sum(0).max())
    # Of each agent, the times at which it acted come first.
    order = torch.argsort(flat.byte(), dim=0, descending=True, stable=True)[:rows]
    agent = torch.arange(agents, device=acting.device)
    return ActingSamples(
        order * agents + agent,
        flat.gather(0, order),
    )
