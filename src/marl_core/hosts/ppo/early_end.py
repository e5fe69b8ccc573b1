"""When an update ends early: once too many of its samples have left the clip range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from marl_core.late_number import LateNumber
from marl_core.learning import Ranks
from marl_core.types import Loss


def while_inside_clip(
    losses: Iterable[Loss],
    least: float,
    ranks: Ranks,
) -> Iterator[Loss]:
    """The losses up to the first one with too few samples inside the clip range, and that one.

    A CPU knows at once what a loss says. Of another device the host would have to wait for it, and
    the device for the host. So there the next loss is computed before the question is put, and is
    thrown away where the answer is that the update has ended. The steps that are taken are the
    same.

    Args:
        losses: each is computed when it is asked for, and reports ``inside_clip``.
        least: the share of the samples that has to be inside.
        ranks: the processes that learn together.
    """
    left: LateNumber | None = None
    for loss in losses:
        if left is not None and left.read():
            return
        inside = ranks.mean(torch.as_tensor(loss.metrics["inside_clip"]))
        if not inside.is_cpu:
            left = LateNumber(inside < least)
        yield loss
        if inside.is_cpu and inside < least:
            return
