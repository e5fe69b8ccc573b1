"""Heads of the agents' own, and which of them are shared how far into a stage."""

from __future__ import annotations

from marl_core.abilities import GroupsHeads, HasOwnHeads, SharesHeads
from marl_core.capabilities import CouplingNeeds
from marl_core.errors import Location, UserError
from marl_core.protocols import HostAlgorithm
from marl_core.run_state import RunState


def give_heads(host: HostAlgorithm, needs: CouplingNeeds, where: Location) -> None:
    """Give every agent a policy head of its own.

    Args:
        host: is changed.
        needs: of the coupling that asks for it.
        where: the part of the config that says so, for the message.

    Raises:
        UserError: the host cannot do it.
    """
    name = type(host).__name__
    if not isinstance(host, HasOwnHeads):
        message = (
            f"host '{name}' has no policy head that could be copied for each agent"
        )
        raise UserError(message, *where)
    if needs.head_groups and not isinstance(host, SharesHeads):
        message = f"host '{name}' has no heads that groups of agents could share"
        raise UserError(message, *where)
    host.give_each_agent_its_own_head()


def share_heads(state: RunState) -> None:
    """Have agents share heads as the stage's coupling states it, if it does; after each update.

    Args:
        state: the run; its host is changed.
    """
    coupling = state.exploration.coupling
    if not coupling.needs.head_groups:
        return
    assert isinstance(coupling, GroupsHeads)
    assert isinstance(state.host, SharesHeads)
    groups = coupling.head_groups(state.spec.agents, state.progress)
    state.host.share_heads(groups)
