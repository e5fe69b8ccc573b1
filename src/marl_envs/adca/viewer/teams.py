"""The two teams as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from marl_core.rendering.palette import BLUE, VERMILLION


@dataclass(frozen=True)
class Team:
    """How a team is drawn.

    Attributes:
        name: what it is called.
        members: which of the fighters it has.
        colour: told apart from the other team's by every kind of colour vision.
        marker: of matplotlib's, also different from the other team's.
    """

    name: str
    members: slice
    colour: str
    marker: str


def teams(guards: int) -> tuple[Team, Team]:
    """The guards and the attackers.

    Args:
        guards: how many of the fighters are guards.
    """
    ours = Team(
        name="guards",
        members=slice(0, guards),
        colour=BLUE,
        marker="o",
    )
    theirs = Team(
        name="attackers",
        members=slice(guards, None),
        colour=VERMILLION,
        marker="^",
    )
    return ours, theirs
