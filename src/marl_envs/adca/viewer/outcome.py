"""What came of a battle, in numbers and words."""

from __future__ import annotations

import torch

from marl_core.rendering import Episode
from marl_envs.adca.battle import Battle


def deaths(states: Battle) -> list[int]:
    """The first state in which each fighter is dead; -1 for those that live to the end.

    Args:
        states: of the battle, one after the other.
    """
    dead = ~states.alive
    first = dead.int().argmax(0)
    return torch.where(dead.any(0), first, -1).tolist()


def ending(episode: Episode) -> str:
    """How the battle ended, in words; empty if it has not ended.

    Args:
        episode: of ADCA.
    """
    if episode.won is None or not bool(episode.terminated[-1]):
        return ""
    if bool(episode.won[-1]):
        return "the guards win"
    return "the guards lose"


def earned(episode: Episode) -> list[float]:
    """The team reward so far in each of the T + 1 states.

    Args:
        episode: of ADCA.
    """
    return [0.0, *episode.team_reward.cumsum(0).tolist()]
