"""Target points: the centres of the guards' clusters, as DBSCAN with two points to a cluster finds them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Guards no further apart than this belong together.
TOGETHER_WITHIN = 0.5
#: More than any index; times the least excess of a squared distance over the limit in single precision, it still is.
_BARRIER = 2**20
_STEEP = 2.0**44


def components(squared: Float[Tensor, "E N N"]) -> Int[Tensor, "E N"]:
    """The connected component of each guard, named by its lowest index. The dead are alone.

    With two points to a cluster, DBSCAN has no border points: its clusters are the components of more than one.
    Everybody takes the lowest name among those near and hands it to whom its own name stands for, and names are looked
    up in turn, until nothing changes: a handful of rounds, each of which asks the device once.
    """
    games, guards = squared.shape[:2]
    # 0 for those near; beyond that no name can pass. Arithmetic is faster than comparing, and integers than floats.
    barrier = (squared - TOGETHER_WITHIN**2).mul_(_STEEP).clamp_(0, _BARRIER).int()
    name = torch.arange(guards, dtype=torch.int32, device=squared.device).expand(games, -1)
    while True:
        lower = torch.minimum(name, (barrier + name.unsqueeze(-1)).amin(1))
        lower = lower.scatter_reduce(1, name.long(), lower, "amin")
        lower = lower.gather(1, lower.long())
        lower = lower.gather(1, lower.long())
        if torch.equal(lower, name):
            return name.long()
        name = lower


def target_points(
    component: Int[Tensor, "E N"], alive: Bool[Tensor, "E N"], position: Float[Tensor, "E 2 N"], count: int
) -> Float[Tensor, "E 2 count"]:
    """The first ``count`` target points; where there are fewer, the last of them again.

    A cluster's target is its mean. Clusters come in the order of their lowest index; guards that are alone come one
    by one, all of them where the first of them would. Without any living guard the point is the origin.
    """
    guards = component.shape[1]
    index = torch.arange(guards, device=component.device)
    size = torch.zeros_like(component).scatter_add_(1, component, torch.ones_like(component)).gather(1, component)
    alone = alive & (size == 1)
    leads = alive & (component == index)
    first_alone = torch.where(alone, index, guards).amin(1, keepdim=True)
    place = torch.where(alone, first_alone, index) * guards + index
    place = torch.where(leads, place, guards**2 + index)
    order = place.topk(min(count, guards), largest=False).indices
    found = leads.sum(1, keepdim=True)
    chosen = order.gather(1, torch.arange(count, device=order.device).minimum((found - 1).clamp(min=0)))
    named = torch.where(alive, component, guards).gather(1, chosen)
    member = (named.unsqueeze(1) == torch.where(alive, component, -1).unsqueeze(-1)).to(position.dtype)
    return position @ member / member.sum(1, keepdim=True).clamp(min=1)
