"""Target points: the centres of the guards' clusters, as DBSCAN with two points to a cluster finds them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Guards no further apart than this belong together.
TOGETHER_WITHIN = 0.5


def components(squared: Float[Tensor, "N N E"]) -> Int[Tensor, "E N"]:
    """The connected component of each guard, named by its lowest index. The dead are alone.

    With two points to a cluster, DBSCAN has no border points: its clusters are the components of more than one.
    Everybody takes the lowest name among those near and hands it to whom its own name stands for, and names are looked
    up in turn, until nothing changes: a handful of rounds, each of which asks the device once.
    """
    guards, _, games = squared.shape
    # Names are bytes. All bits are set for those too far, 255, so that no name passes; none for those near.
    far = (
        torch.gt(squared, TOGETHER_WITHIN**2, out=torch.empty_like(squared))
        .to(torch.int8)
        .neg_()
        .view(torch.uint8)
    )
    name = (
        torch.arange(guards, dtype=torch.uint8, device=squared.device)
        .unsqueeze(-1)
        .expand(-1, games)
    )
    while True:
        lower = torch.minimum(name, (far | name.unsqueeze(1)).amin(0))
        lower = lower.scatter_reduce(0, name.long(), lower, "amin")
        lower = lower.gather(0, lower.long())
        lower = lower.gather(0, lower.long())
        if torch.equal(lower, name):
            return name.T.long()
        name = lower


def target_points(
    component: Int[Tensor, "E N"],
    alive: Bool[Tensor, "E N"],
    position: Float[Tensor, "E 2 N"],
    count: int,
) -> Float[Tensor, "E 2 count"]:
    """The first ``count`` target points; where there are fewer, the last of them again.

    A cluster's target is its mean. Clusters come in the order of their lowest index; guards that are alone come one
    by one, all of them where the first of them would. Without any living guard the point is the origin.
    """
    guards = component.shape[1]
    index = torch.arange(guards, device=component.device)
    size = (
        torch.zeros_like(component)
        .scatter_add_(1, component, torch.ones_like(component))
        .gather(1, component)
    )
    alone = alive & (size == 1)
    leads = alive & (component == index)
    first_alone = torch.where(alone, index, guards).amin(1, keepdim=True)
    place = torch.where(alone, first_alone, index) * guards + index
    place = torch.where(leads, place, guards**2 + index)
    order = place.topk(min(count, guards), largest=False).indices
    found = leads.sum(1, keepdim=True)
    chosen = order.gather(
        1, torch.arange(count, device=order.device).minimum((found - 1).clamp(min=0))
    )
    name = torch.where(alive, component, -1).to(position.dtype)
    named = torch.where(alive, component, guards).to(position.dtype).gather(1, chosen)
    member = position.new_empty(*name.shape, count)
    torch.eq(
        named.unsqueeze(1), name.unsqueeze(-1), out=member
    )  # numbers at once: booleans take longer
    return position @ member / member.sum(1, keepdim=True).clamp(min=1)
