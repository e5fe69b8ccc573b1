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


def start_centres(points: Float[Tensor, "E H 2"], draws: Float[Tensor, "E G"]) -> Float[Tensor, "E G 2"]:
    """k-means++: the first centre is any point, every further one a point by its squared distance from the centres.

    Args:
        draws: uniform in [0, 1), one for each centre.
    """
    count = points.shape[1]
    index = (draws[:, :1] * count).long()
    centres, least = [], None
    for draw in draws[:, 1:].split(1, dim=1):
        centres.append(_at(points, index))
        distance = (points - centres[-1]).square().sum(-1)
        least = distance if least is None else torch.minimum(least, distance)
        cumulative = least.cumsum(1)
        index = torch.searchsorted(cumulative, (draw * cumulative[:, -1:]).to(cumulative.dtype)).clamp_(max=count - 1)
    return torch.cat([*centres, _at(points, index)], dim=1)


def lloyd(
    points: Float[Tensor, "E H 2"], centres: Float[Tensor, "E G 2"], steps: int
) -> tuple[Int[Tensor, "E H"], Float[Tensor, "E G 2"]]:
    """Give points to the nearest centre and move centres to the means of their points, ``steps`` times.

    The labels are those of the last step, the centres the means of those labels. A centre without points stays.
    """
    across = points.mT.contiguous()
    weighted = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    for step in range(steps):
        # The squared distance but for what all centres have in common.
        distance = torch.baddbmm(centres.square().sum(-1, keepdim=True), centres, across, alpha=-2)
        if step == steps - 1:
            label = distance.min(dim=1).indices
            break
        # 1 at the least and 0 elsewhere, by arithmetic: comparing costs three times as much.
        chosen = (distance.amin(1, keepdim=True) - distance).sign_().add_(1)
        centres = _means(chosen, weighted, centres)
    chosen = (label.unsqueeze(1) == torch.arange(centres.shape[1], device=label.device).unsqueeze(-1)).to(points.dtype)
    return label, _means(chosen, weighted, centres)


def _means(
    chosen: Float[Tensor, "E G H"], weighted: Float[Tensor, "E H 3"], before: Float[Tensor, "E G 2"]
) -> Float[Tensor, "E G 2"]:
    sums = chosen @ weighted
    count = sums[..., 2:]
    return torch.where(count > 0, sums[..., :2] / count.clamp(min=1), before)


def _at(points: Float[Tensor, "E H 2"], index: Int[Tensor, "E 1"]) -> Float[Tensor, "E 1 2"]:
    return points.gather(1, index.unsqueeze(-1).expand(-1, -1, 2))
