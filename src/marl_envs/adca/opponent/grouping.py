"""Squads: k-means over all attackers. The dead count where they fell."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: The average number of attackers in a squad.
SQUAD = 5


def squads(attackers: int) -> int:
    """G, the number of squads.

    Args:
        attackers: the size of the scripted team.
    """
    return max(1, attackers // SQUAD)


def start_centres(
    points: Float[Tensor, "E 2 H"],
    draws: Float[Tensor, "E G"],
) -> Float[Tensor, "E 2 G"]:
    """The first centres, by k-means++.

    The first centre is any of the points, each equally likely. Every further one is a point drawn
    with a probability proportional to its squared distance from the nearest centre so far.

    Args:
        points: to be grouped.
        draws: uniform random numbers in [0, 1), one for each centre.
    """
    index = (draws[:, :1] * points.shape[2]).long()
    centre = _points_at(points, index)
    centres = [centre]
    least = torch.full_like(points[:, 0], torch.inf)
    further_draws = draws[:, 1:].to(points.dtype).unsqueeze(-1)
    for draw in further_draws.unbind(1):
        across, along = (points - centre).unbind(1)
        squared = torch.addcmul(across * across, along, along)
        least = torch.minimum(least, squared)
        cumulative = least.cumsum(1)
        # Draws are below 1, so the index is at most that of the last point.
        index = torch.searchsorted(cumulative, draw * cumulative[:, -1:])
        centre = _points_at(points, index)
        centres.append(centre)
    return torch.cat(centres, dim=2)


def _points_at(
    points: Float[Tensor, "E 2 H"],
    index: Int[Tensor, "E 1"],
) -> Float[Tensor, "E 2 1"]:
    """One point of each battle."""
    both_coordinates = index.unsqueeze(1).expand(-1, 2, 1)
    return points.gather(2, both_coordinates)


def lloyd(
    points: Float[Tensor, "E 2 H"],
    centres: Float[Tensor, "E 2 G"],
    steps: int,
) -> tuple[Int[Tensor, "E H"], Float[Tensor, "E 2 G"]]:
    """Lloyd's algorithm for k-means.

    Points are given to the nearest centre, then centres move to the means of their points.

    On a CPU it stops early when nothing changes in any battle, because further steps would change
    nothing. Another device would have to be waited for to learn that.

    Args:
        points: to be grouped.
        centres: at first. One that has no point stays where it is.
        steps: how often both is done, at most.

    Returns:
        For each point the index of its centre, and the centres as the means of these groups.
    """
    ones = torch.ones_like(points[:, :1])
    with_ones = torch.cat([points, ones], dim=1)
    for _ in range(steps):
        chosen = _nearest_centre(points, centres)
        moved = _means(chosen, with_ones, centres)
        if points.is_cpu and torch.equal(moved, centres):
            break
        centres = moved
    count = centres.shape[2]
    index = torch.arange(count, dtype=chosen.dtype, device=chosen.device)
    label = (chosen * index.unsqueeze(-1)).amax(1).long()
    return label, centres


def _nearest_centre(
    points: Float[Tensor, "E 2 H"],
    centres: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E G H"]:
    """1 where a centre is the nearest to a point (on ties several are), else 0."""
    # Squared distances without the squared length of the point, which all centres have in common.
    squared_length = centres.square().sum(1).unsqueeze(-1)
    distance = torch.baddbmm(squared_length, centres.mT, points, alpha=-2)
    # Comparing in place costs a third of making booleans.
    return distance.eq_(distance.amin(1, keepdim=True))


def _means(
    chosen: Float[Tensor, "E G H"],
    with_ones: Float[Tensor, "E 3 H"],
    before: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E 2 G"]:
    """The mean of each centre's points; a centre without points stays.

    A row of ones under the points counts them in the same product that sums them.
    """
    sums = with_ones @ chosen.mT
    count = sums[:, 2:]
    mean = sums[:, :2] / count.clamp(min=1)
    return torch.where(count > 0, mean, before)
