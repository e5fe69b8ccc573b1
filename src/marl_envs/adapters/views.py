"""From the spaces of a team to what writes into its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium import spaces

from marl_core.errors import UserError
from marl_envs.adapters.boxes import (
    Reach,
    box_of_team,
)
from marl_envs.adapters.game import TeamView
from marl_envs.adapters.spaces import Choice, Sight


def view_of(
    names: Sequence[str],
    sights: Sequence[Sight],
    actions: Sequence[spaces.Space[Any]],
) -> TeamView:
    """The view of a team whose actions are all counted, or all numbers in boxes.

    Args:
        names: of the agents.
        sights: what each of them sees.
        actions: the space of each one's actions.

    Raises:
        UserError: actions are of both kinds, or of neither.
    """
    boxes = [isinstance(space, spaces.Box) for space in actions]
    if not any(boxes):
        pairs = zip(actions, names, strict=True)
        return TeamView(
            names,
            sights,
            [Choice.of(*pair) for pair in pairs],
        )
    if not all(boxes):
        counted, number = (
            names[boxes.index(False)],
            names[boxes.index(True)],
        )
        message = (
            f"{counted} has actions that are counted, and {number} numbers in a box"
        )
        raise UserError(f"{message}: a team's are of one kind")
    reaches = []
    for space, name in zip(actions, names, strict=True):
        assert isinstance(space, spaces.Box)
        reaches.append(Reach.of(space, name))
    return TeamView(
        names,
        sights,
        (),
        reaches,
        box_of_team(reaches),
    )
