"""The history pool: each agent's queue of the entities that it has seen."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def remember(
    past: Float[Tensor, "*B K F"],
    past_mask: Bool[Tensor, "*B K"],
    seen: Float[Tensor, "*B J F"],
    seen_mask: Bool[Tensor, "*B J"],
) -> tuple[Float[Tensor, "*B K F"], Bool[Tensor, "*B K"]]:
    """The history with the entities seen now in front: the first K of both.

    It is a queue of entities, not of steps. With many neighbours it holds those of the step before;
    with few it reaches far back, and the same entity may stand in it more than once. An agent that
    sees no entity keeps its history as it was.

    Args:
        past: the history before, newest entries first.
        past_mask: which entries are there; they are the first ones.
        seen: the entities of now, without the agent itself.
        seen_mask: which of them are there.

    Returns:
        The history and its mask.
    """
    slots = past.shape[-2]
    new = seen_mask.long().cumsum(-1)
    # The place of each entry in the new queue. There is one place more than the queue has: it takes
    # every entry that is not there or no longer fits, and is cut off in the end.
    place_of_seen = torch.where(seen_mask, new - 1, slots).clamp(max=slots)
    later = new[..., -1:] + torch.arange(slots, device=past.device)
    place_of_past = later.clamp(max=slots)
    place = torch.cat([place_of_seen, place_of_past], -1)
    rows = torch.cat(
        [seen.to(past.dtype), past],
        -2,
    )
    mask = torch.cat([seen_mask, past_mask], -1)
    queue = rows.new_zeros(
        *past.shape[:-2],
        slots + 1,
        past.shape[-1],
    )
    queue.scatter_(
        -2,
        place.unsqueeze(-1).expand_as(rows),
        rows,
    )
    queue_mask = mask.new_zeros(
        *past_mask.shape[:-1],
        slots + 1,
    )
    queue_mask.scatter_(-1, place, mask)
    return queue[..., :slots, :].contiguous(), queue_mask[..., :slots].contiguous()
