"""Squads: k-means over all attackers, the dead where they fell."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Attackers to a squad, on average.
SQUAD = 5


def squads(attackers: int) -> int:
    """G: how many squads so many attackers make."""
    return max(1, attackers // SQUAD)


def start_centres(
    points: Float[Tensor, "E 2 H"], draws: Float[Tensor, "E G"]
) -> Float[Tensor, "E 2 G"]:
    """k-means++: the first centre is any point, every further one a point by its squared distance from the centres.

    Args:
        points: to be grouped.
        draws: uniform in [0, 1), one for each centre.
    """
    index = (draws[:, :1] * points.shape[2]).long()
    centres, least = [], torch.full_like(points[:, 0], torch.inf)
    for draw in draws[:, 1:].to(points.dtype).unsqueeze(-1).unbind(1):
        centres.append(points.gather(2, index.unsqueeze(1).expand(-1, 2, 1)))
        across, along = (points - centres[-1]).unbind(1)
        least = torch.minimum(least, torch.addcmul(across * across, along, along))
        cumulative = least.cumsum(1)
        index = torch.searchsorted(
            cumulative, draw * cumulative[:, -1:]
        )  # the last at the most, as draws are below 1
    return torch.cat(
        [*centres, points.gather(2, index.unsqueeze(1).expand(-1, 2, 1))], dim=2
    )


def lloyd(
    points: Float[Tensor, "E 2 H"], centres: Float[Tensor, "E 2 G"], steps: int
) -> tuple[Int[Tensor, "E H"], Float[Tensor, "E 2 G"]]:
    """Give points to the nearest centre and move centres to the means of their points, ``steps`` times.

    The labels are those of the last step, the centres the means of those labels. A centre without points stays.
    Stops early once nothing changes in any of the battles: further steps would change nothing either.
    """
    weighted = torch.cat([points, torch.ones_like(points[:, :1])], dim=1)
    for _ in range(steps):
        # The squared distance but for what all centres have in common.
        distance = torch.baddbmm(
            centres.square().sum(1).unsqueeze(-1), centres.mT, points, alpha=-2
        )
        # 1 at the least and 0 elsewhere: comparing in place costs a third of making booleans.
        chosen = distance.eq_(distance.amin(1, keepdim=True))
        moved = _means(chosen, weighted, centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    rank = torch.arange(
        centres.shape[2], dtype=chosen.dtype, device=chosen.device
    ).unsqueeze(-1)
    return (chosen * rank).amax(1).long(), centres


def _means(
    chosen: Float[Tensor, "E G H"],
    weighted: Float[Tensor, "E 3 H"],
    before: Float[Tensor, "E 2 G"],
) -> Float[Tensor, "E 2 G"]:
    sums = weighted @ chosen.mT
    count = sums[:, 2:]
    return torch.where(count > 0, sums[:, :2] / count.clamp(min=1), before)
