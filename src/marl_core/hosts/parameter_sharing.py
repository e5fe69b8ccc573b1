"""Which agents share the parameters of a host's networks, from the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from marl_core.base_config import MOST_AT_ONCE
from marl_core.errors import UserError

#: A group of agents, by its number; which numbers there are makes no difference.
_Group = Annotated[int, Field(ge=0, le=MOST_AT_ONCE)]
#: What a config says: all agents share, none do, or those of a group, which each agent names.
Parameters = Annotated[
    Annotated[Literal["shared", "per_agent"], Tag("word")]
    | Annotated[
        tuple[_Group, ...],
        Field(min_length=1, max_length=MOST_AT_ONCE),
        Tag("groups"),
    ],
    # So a slip in a word gets no second line about a list.
    Discriminator(lambda given: "word" if isinstance(given, str) else "groups"),
]
#: The group of each agent, counted from 0 without gaps; None: all agents share.
Groups = tuple[int, ...] | None


def groups_of(parameters: str | Sequence[int], agents: int) -> Groups:
    """The group of each agent.

    Args:
        parameters: what the config says.
        agents: N.

    Raises:
        UserError: groups are given for another number of agents.
    """
    if parameters == "shared":
        return None
    if isinstance(parameters, str):
        return tuple(range(agents))
    if len(parameters) != agents:
        message = f"parameters name the groups of {len(parameters)} agents, and there are {agents}"
        raise UserError(message, "host", "parameters")
    first_seen = list(dict.fromkeys(parameters))
    groups = tuple(first_seen.index(group) for group in parameters)
    # One group of all is what sharing is.
    return groups if len(first_seen) > 1 else None
