"""The tree by which heads part: all agents share one, then two, then four, and so on."""

from __future__ import annotations

from functools import lru_cache

import torch

#: Neighbours in a line-up have neighbouring numbers, so agents are halved in a mixed order, which
#: is the same in every run.
_ORDER_SEED = 0


def levels(agents: int) -> int:
    """After how many divisions every agent has a head of its own.

    Args:
        agents: N.
    """
    return (agents - 1).bit_length()


@lru_cache(maxsize=64)
def groups_at(level: int, agents: int) -> tuple[int, ...]:
    """The group of every agent once all groups have been halved so and so often.

    There are 2^level groups, at most one for each agent. Each lies in one group of the level
    before, and their sizes differ by one at most.

    Args:
        level: how often, from 0.
        agents: N.
    """
    count = 2 ** min(level, levels(agents))
    generator = torch.Generator().manual_seed(_ORDER_SEED)
    place = torch.randperm(agents, generator=generator)
    group = place * count // agents
    return tuple(group.tolist())
