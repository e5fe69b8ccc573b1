"""What ``marl reproduce`` can make."""

from __future__ import annotations

from pathlib import Path

from marl_core.errors import UserError, suggestion
from marl_pr.paper.catalogue import (
    ALL,
    APART,
    GIVEN_TEAM,
    NO_ITEMS,
    STRANGERS,
    SUMMARIES,
    named_like,
)
from marl_pr.paper.fig1 import Fig1
from marl_pr.paper.fig3 import Fig3
from marl_pr.paper.fig4 import Fig4
from marl_pr.paper.fig5 import Fig5
from marl_pr.paper.fig6 import Fig6
from marl_pr.paper.fig7a import Fig7a
from marl_pr.paper.fig7b import Fig7b
from marl_pr.paper.fig8 import Fig8
from marl_pr.paper.fig9 import Fig9
from marl_pr.paper.given_team import GivenTeam
from marl_pr.paper.item import Item
from marl_pr.paper.pmin import PMin
from marl_pr.paper.strangers import Strangers
from marl_pr.paper.table1 import Table1
from marl_pr.paper.theory_item import Theory
from marl_pr.paper.value_resonance import ValueResonance

_EVERY: tuple[Item, ...] = (
    Fig1(),
    Fig3(),
    Fig4(),
    Fig5(),
    Fig6(),
    Fig7a(),
    Fig7b(),
    Fig8(),
    Fig9(),
    PMin(),
    Table1(),
    Theory(),
    ValueResonance(),
)
_BY_NAME = {item.name: item for item in _EVERY}
#: In the order of the catalogue, in which ``all`` makes them.
ITEMS: dict[str, Item] = {name: _BY_NAME[name] for name in SUMMARIES}


def items_named(name: str, weights: Path | None = None) -> list[Item]:
    """The item with a name, or all of them.

    Args:
        name: of an item, or ``all``.
        weights: of the team that ``given_team`` continues; None for every other item.

    Raises:
        UserError: there is no such item, or weights are missing or not needed.
    """
    if name == GIVEN_TEAM:
        if weights is None:
            raise UserError(f"{GIVEN_TEAM} needs --weights FILE: the team to continue")
        return [GivenTeam(weights)]
    if weights is not None:
        raise UserError(f"--weights: only {GIVEN_TEAM} begins with given weights")
    if name == STRANGERS:
        return [Strangers()]
    if name == ALL:
        return list(ITEMS.values())
    if name not in ITEMS:
        raise UserError(_unknown(name))
    return [ITEMS[name]]


def _unknown(name: str) -> str:
    """Say that there is no such item, and which ones there are."""
    why = f": {NO_ITEMS[name]}" if name in NO_ITEMS else ""
    message = f"there is no '{name}' to reproduce{why}"
    if name.startswith("fig"):
        return f"{message} (figures: {named_like('fig')})"
    if name.startswith("table"):
        return f"{message} (tables: {named_like('table')})"
    known = [*ITEMS, ALL, *APART]
    return message + (suggestion(name, known) or f" (known: {', '.join(known)})")
