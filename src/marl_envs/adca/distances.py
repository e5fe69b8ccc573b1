"""Distances between fighters, measured once in each step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.battle import Battle

#: The squared distance of the dead from everybody. It is finite because the observation packs an
#: index into the low bits of a distance.
FAR = 1e30
_FAR_AWAY = FAR**0.5
#: The smallest possible difference between two squared distances in single precision, times this,
#: is larger than any index of a fighter.
_STEEP = 2.0**100


@dataclass(frozen=True)
class Distances:
    """Squared distances between living fighters, in single precision.

    Where one of the two is dead, the value is ``FAR`` or more.

    The observation looks these up, and so do weapons and the script in the step that follows:
    nobody moves in between. The axis of battles comes last, because operations on pairs are several
    times faster along long unbroken rows.

    Attributes:
        guards: from each guard to each guard.
        attackers_guards: from each attacker to each guard.
        nearest_guard: the guard nearest to each attacker; on ties, the one with the lowest index.
        nearest: the squared distance from each attacker to its nearest guard.
    """

    guards: Float[Tensor, "N N E"]
    attackers_guards: Float[Tensor, "H N E"]
    nearest_guard: Int[Tensor, "E H"]
    nearest: Float[Tensor, "H E"]


def measure(
    battle: Battle,
    guards: int,
) -> Distances:
    """Measure the distances among the guards, and those from the attackers to them.

    Attributes:
        battle: where everybody is, and who lives.
        guards: how many of the fighters are guards; these come first.
    """
    coordinates = battle.position.permute(1, 2, 0).float().contiguous()
    x, y = coordinates
    dead = ~battle.alive.T
    # The dead stand far out: on one side as rows, on the other side as columns. So they are far
    # from each other too.
    row_x = x.masked_fill(dead, _FAR_AWAY)
    column_x = x[:guards].masked_fill(dead[:guards], -_FAR_AWAY)
    column_y = y[:guards]
    among_guards = _squared(
        row_x[:guards],
        y[:guards],
        column_x,
        column_y,
    )
    hostile = _squared(
        row_x[guards:],
        y[guards:],
        column_x,
        column_y,
    )
    nearest = hostile.amin(1, keepdim=True)
    nearest_guard = _index_of_least(hostile, nearest)
    return Distances(
        guards=among_guards,
        attackers_guards=hostile,
        nearest_guard=nearest_guard.T.long(),
        nearest=nearest.squeeze(1),
    )


def _squared(
    row_x: Float[Tensor, "rows E"],
    row_y: Float[Tensor, "rows E"],
    column_x: Float[Tensor, "columns E"],
    column_y: Float[Tensor, "columns E"],
) -> Float[Tensor, "rows columns E"]:
    """The squared distance of every row from every column."""
    along = row_x.unsqueeze(1) - column_x
    across = row_y.unsqueeze(1) - column_y
    return along.square_().addcmul_(across, across)


def _index_of_least(
    values: Float[Tensor, "rows columns E"],
    least: Float[Tensor, "rows 1 E"],
) -> Float[Tensor, "rows E"]:
    """The first column that has the least value, in each row.

    ``torch.argmin`` takes several times as long. Here, everything above the least value becomes
    larger than any index; the index of the column is added; and the smallest sum is the index.
    """
    columns = values.shape[1]
    index = torch.arange(columns, dtype=values.dtype, device=values.device)
    above = (values - least).mul_(_STEEP)
    return above.add_(index.unsqueeze(-1)).amin(1)
