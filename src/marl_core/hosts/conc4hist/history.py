"""The history pool: each agent's queue of the entities that it has seen.

It is a queue of entities, not of steps. With many neighbours it holds those of the step before;
with few it reaches far back, and the same entity may stand in it more than once. An agent that sees
no entity keeps its history as it was.

While games are played, the queue goes on from step to step (``remember``). Of whole episodes it is
found at once for all steps (``Histories``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor


def remember(
    past: Int[Tensor, "*B K"],
    seen: Int[Tensor, "*B J"],
    nobody: int,
) -> Int[Tensor, "*B K"]:
    """The history with the entities seen now in front: the first K of both.

    Args:
        past: the history before, newest entries first; those that are not there are the last.
        seen: the entities of now, without the agent itself.
        nobody: the index that stands where no entity is.
    """
    slots = past.shape[-1]
    there = seen != nobody
    new = there.long().cumsum(-1)
    # The place of each entry in the new queue. There is one place more than the queue has: it takes
    # every entry that is not there or no longer fits, and is cut off in the end.
    place_of_seen = torch.where(there, new - 1, slots).clamp(max=slots)
    later = new[..., -1:] + torch.arange(slots, device=past.device)
    place = torch.cat([place_of_seen, later.clamp(max=slots)], -1)
    entries = torch.cat([seen.to(past.dtype), past], -1)
    queue = past.new_full((*past.shape[:-1], slots + 1), nobody)
    queue.scatter_(-1, place, entries)
    return queue[..., :slots]


@final
@dataclass(frozen=True)
class Histories:
    """The histories of all agents in all steps of whole episodes.

    Everything that an agent sees in an episode stands in one list, the oldest entry first. Its
    history before a step is the end of what the list had then, read backwards.

    Attributes:
        entries: those lists, ``[E * N, length]``.
        before: how many entries the list of each agent had before each step, and after the last.
        nobody: the index that stands where no entity is.
    """

    entries: Int[Tensor, "lists length"]
    before: Int[Tensor, "steps E N"]
    nobody: int

    @classmethod
    def of(cls, seen: Int[Tensor, "T E N J"], nobody: int) -> Histories:
        """The histories of what agents have seen.

        Args:
            seen: the entities of each step, without the agent itself; nobody after a game's end.
            nobody: the index that stands where no entity is.
        """
        there = seen != nobody
        order = there.cumsum(-1)
        counts = order[..., -1]
        after = counts.cumsum(0)
        before = torch.cat([torch.zeros_like(after[:1]), after])
        # In a step the first entity is the newest entry.
        place = after.unsqueeze(-1) - order
        length = int(after[-1].max()) + 1
        lists = after[0].numel()
        first = torch.arange(lists, device=seen.device) * length
        place += first.view(1, *after.shape[1:], 1)
        # What is not there goes to the end of its list, which no history reaches.
        end = (first + (length - 1)).view(1, *after.shape[1:], 1)
        place = torch.where(there, place, end)
        entries = seen.new_full((lists * length,), nobody)
        entries[place.flatten()] = seen.flatten()
        return cls(entries.view(lists, length), before, nobody)

    def at(
        self,
        samples: Int[Tensor, "*S"],
        slots: int,
    ) -> Int[Tensor, "*S K"]:
        """The histories before some steps.

        Args:
            samples: which samples of a flattened ``[T + 1, E, N]``; step T is after the last.
            slots: K, how many entries a history has.
        """
        lists, length = self.entries.shape
        newest = self.before.flatten()[samples] - 1
        back = torch.arange(slots, device=samples.device)
        place = newest.unsqueeze(-1) - back
        first = (samples % lists).unsqueeze(-1) * length
        entries = self.entries.flatten()
        found = entries[(first + place.clamp(min=0)).flatten()]
        return torch.where(place >= 0, found.view(place.shape), self.nobody)
