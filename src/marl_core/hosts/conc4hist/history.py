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
    """The first K of [what is seen now, in order; what was remembered].

    A queue of sightings, not of steps: with many neighbours it holds the step before, with few it reaches far back, and
    the same entity may stand in it more than once. Who sees nobody remembers what was there.

    Args:
        past: the queue before, newest sightings first; its mask is set on a first part.
        seen: the entities of now, oneself not among them; those outside of the mask are not there.
    """
    slots = past.shape[-2]
    new = seen_mask.long().cumsum(-1)
    # Each row's place in the new queue; the one behind its end takes all that has no place.
    place_of_seen = torch.where(seen_mask, new - 1, slots).clamp(max=slots)
    place_of_past = (new[..., -1:] + torch.arange(slots, device=past.device)).clamp(
        max=slots
    )
    place = torch.cat([place_of_seen, place_of_past], -1)
    rows = torch.cat([seen.to(past.dtype), past], -2)
    mask = torch.cat([seen_mask, past_mask], -1)
    queue = rows.new_zeros(*past.shape[:-2], slots + 1, past.shape[-1])
    queue.scatter_(-2, place.unsqueeze(-1).expand_as(rows), rows)
    queue_mask = mask.new_zeros(*past_mask.shape[:-1], slots + 1).scatter_(
        -1, place, mask
    )
    return queue[..., :slots, :].contiguous(), queue_mask[..., :slots].contiguous()
