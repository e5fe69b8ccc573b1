"""Target points: the centres of the guards' clusters, as DBSCAN finds them.

DBSCAN is used with two points to a cluster. Then it has no border points: its clusters are the
connected components with more than one member.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

#: Guards at most this far from each other belong to one cluster.
TOGETHER_WITHIN = 0.5


def components(squared: Float[Tensor, "N N E"]) -> Int[Tensor, "E N"]:
    """The connected component of each guard, named by its lowest index. The dead are alone.

    Args:
        squared: squared distances between guards; those of the dead are large.
    """
    if squared.is_cpu:
        return _by_lowest_names(squared)
    return _by_reachability(squared)


def _by_reachability(squared: Float[Tensor, "N N E"]) -> Int[Tensor, "E N"]:
    """Components without a question to the device.

    Whom a guard reaches in at most k steps is a matrix of zeros and ones, and its square says whom
    it reaches in at most 2 k. The number of squarings that surely suffices is known beforehand.
    Numbers stay exact in any precision, because only zeros are told from all others.
    """
    guards = len(squared)
    near = (squared <= TOGETHER_WITHIN**2).permute(2, 0, 1)
    oneself = torch.eye(
        guards,
        dtype=torch.bool,
        device=squared.device,
    )
    reached = (near | oneself).to(squared.dtype)
    for _ in range(math.ceil(math.log2(guards))):
        reached = torch.bmm(reached, reached).clamp_(max=1)
    return reached.argmax(-1)  # torch promises the first of equal maxima


def _by_lowest_names(squared: Float[Tensor, "N N E"]) -> Int[Tensor, "E N"]:
    """Components in fewer operations, whose number depends on the numbers.

    At first everybody's name is its own index. Then, until nothing changes, everybody takes the
    lowest name among those near it, also gives that name to the guard that its old name stands for,
    and replaces its name twice by the name of the guard that it stands for. This takes a handful of
    rounds, and each of them asks once whether anything has changed.
    """
    far = _far_bits(squared)
    name = _own_names(squared)
    while True:
        near_names = far | name.unsqueeze(1)
        lower = torch.minimum(name, near_names.amin(0))
        lower = lower.scatter_reduce(0, name.long(), lower, "amin")
        lower = lower.gather(0, lower.long())
        lower = lower.gather(0, lower.long())
        if torch.equal(lower, name):
            return name.T.long()
        name = lower


def _far_bits(squared: Float[Tensor, "N N E"]) -> UInt8[Tensor, "N N E"]:
    """255, all bits set, for pairs too far from each other, and 0 for the others.

    Combined with a name by a bitwise or, it hides the names of those too far.
    """
    far = torch.gt(
        squared,
        TOGETHER_WITHIN**2,
        out=torch.empty_like(squared),
    )
    return far.to(torch.int8).neg_().view(torch.uint8)


def _own_names(squared: Float[Tensor, "N N E"]) -> UInt8[Tensor, "N E"]:
    """Everybody's own index, as a byte."""
    guards, _, games = squared.shape
    index = torch.arange(guards, dtype=torch.uint8, device=squared.device)
    return index.unsqueeze(-1).expand(-1, games)


def target_points(
    component: Int[Tensor, "E N"],
    alive: Bool[Tensor, "E N"],
    position: Float[Tensor, "E 2 N"],
    count: int,
) -> Float[Tensor, "E 2 count"]:
    """The points that squads drive at: the means of the guards' clusters.

    Clusters come in the order of their lowest index. A guard that is alone counts as a cluster, but
    all guards that are alone come one after the other, where the first of them would come. Without
    any living guard, the point is the origin.

    Args:
        component: the name of each guard's cluster, the lowest index in it.
        alive: which guards live.
        position: of the guards.
        count: how many points are wanted. If there are fewer clusters, the last one is repeated.
    """
    leader = _leaders(component, alive, count)
    name = torch.where(alive, component, -1)
    nobody = component.shape[1]
    wanted = torch.where(alive, component, nobody).gather(1, leader)
    # 1 where a guard belongs to a wanted cluster, else 0: numbers at once, since booleans take
    # longer.
    member = position.new_empty(*name.shape, count)
    guard_names = name.to(position.dtype).unsqueeze(-1)
    wanted_names = wanted.to(position.dtype).unsqueeze(1)
    torch.eq(wanted_names, guard_names, out=member)
    size = member.sum(1, keepdim=True).clamp(min=1)
    return position @ member / size


def _leaders(
    component: Int[Tensor, "E N"],
    alive: Bool[Tensor, "E N"],
    count: int,
) -> Int[Tensor, "E count"]:
    """The lowest guard of each of the first clusters; the last one again where there are fewer."""
    guards = component.shape[1]
    index = torch.arange(guards, device=component.device)
    leads = alive & (component == index)
    rank = _order_of_clusters(component, alive)
    # Those who lead no cluster come after all that do.
    rank = torch.where(leads, rank, guards**2 + index)
    in_order = rank.topk(min(count, guards), largest=False).indices
    found = leads.sum(1, keepdim=True)
    last = (found - 1).clamp(min=0)
    place = torch.arange(count, device=component.device).minimum(last)
    return in_order.gather(1, place)


def _order_of_clusters(
    component: Int[Tensor, "E N"],
    alive: Bool[Tensor, "E N"],
) -> Int[Tensor, "E N"]:
    """A number by which the leaders of clusters are sorted; those of no two guards are equal."""
    guards = component.shape[1]
    index = torch.arange(guards, device=component.device)
    sizes = torch.zeros_like(component)
    sizes.scatter_add_(1, component, torch.ones_like(component))
    alone = alive & (sizes.gather(1, component) == 1)
    first_alone = torch.where(alone, index, guards).amin(1, keepdim=True)
    comes_at = torch.where(alone, first_alone, index)
    return comes_at * guards + index
