"""Target points: the centres of the guards' clusters, as DBSCAN with two points to a cluster finds them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Guards no further apart than this belong together.
TOGETHER_WITHIN = 0.5


def components(squared: Float[Tensor, "E N N"]) -> Int[Tensor, "E N"]:
    """The connected component of each guard, named by its lowest index. The dead are alone.

    With two points to a cluster, DBSCAN has no border points: its clusters are the components of more than one.
    Everybody takes the lowest name among those near, then the name that this one has, until nothing changes: the
    number of rounds grows with the logarithm of a chain's length, and each asks the device once.
    """
    games, guards = squared.shape[:2]
    # 0 for those near; beyond that no name can pass. Comparing costs more than arithmetic.
    barrier = (squared - TOGETHER_WITHIN**2).clamp_(min=0).mul_(FAR_APART)
    name = torch.arange(guards, dtype=squared.dtype, device=squared.device).expand(games, -1)
    while True:
        lower = torch.minimum(name, (barrier + name.unsqueeze(-1)).amin(1))
        lower = lower.gather(1, lower.long())
        if torch.equal(lower, name):
            return name.long()
        name = lower


#: Times the least excess of a squared distance over the limit in single precision, this is more than any index.
FAR_APART = 1e12


def target_points(
    component: Int[Tensor, "E N"], alive: Bool[Tensor, "E N"], position: Float[Tensor, "E N 2"], count: int
) -> Float[Tensor, "E count 2"]:
    """The first ``count`` target points; where there are fewer, the last of them again.

    A cluster's target is its mean. Clusters come in the order of their lowest index; guards that are alone come one
    by one, all of them where the first of them would. Without any living guard the point is the origin.
    """
    guards = component.shape[1]
    index = torch.arange(guards, device=component.device)
    size = (component.unsqueeze(-1) == component.unsqueeze(-2)).sum(-1)
    alone = alive & (size == 1)
    leads = alive & (component == index)
    first_alone = torch.where(alone, index, guards).amin(1, keepdim=True)
    place = torch.where(alone, first_alone, index) * guards + index
    place = torch.where(leads, place, guards**2 + index)
    order = place.topk(min(count, guards), largest=False).indices
    found = leads.sum(1, keepdim=True)
    chosen = order.gather(1, torch.arange(count, device=order.device).minimum((found - 1).clamp(min=0)))
    member = (component.unsqueeze(1) == chosen.unsqueeze(-1)) & alive.unsqueeze(1)
    member = member.to(position.dtype)
    return member @ position / member.sum(-1, keepdim=True).clamp(min=1)
