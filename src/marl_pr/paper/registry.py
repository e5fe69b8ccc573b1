"""What ``marl reproduce`` can make."""

from __future__ import annotations

from marl_core.errors import UserError, suggestion
from marl_pr.paper.fig1 import Fig1
from marl_pr.paper.fig3 import Fig3
from marl_pr.paper.fig4 import Fig4
from marl_pr.paper.fig5 import Fig5
from marl_pr.paper.fig6 import Fig6
from marl_pr.paper.fig7a import Fig7a
from marl_pr.paper.fig7b import Fig7b
from marl_pr.paper.fig8 import Fig8
from marl_pr.paper.fig9 import Fig9
from marl_pr.paper.item import Item
from marl_pr.paper.pmin import PMin
from marl_pr.paper.table1 import Table1
from marl_pr.paper.theory_item import Theory
from marl_pr.paper.value_resonance import ValueResonance

#: In the order in which ``all`` makes them: what is short, or needed by others, first.
_FME = (
    Fig1(),
    Table1(),
    Theory(),
    Fig5(),
    Fig3(),
    Fig9(),
    Fig7a(),
    PMin(),
    Fig8(),
    ValueResonance(),
)
_ADCA = (Fig4(), Fig7b(), Fig6())
ITEMS: dict[str, Item] = {item.name: item for item in (*_FME, *_ADCA)}
ALL = "all"


def items_named(name: str) -> list[Item]:
    """The item of this name, or all of them. Raises ``UserError`` where there is none."""
    if name == ALL:
        return list(ITEMS.values())
    if name not in ITEMS:
        known = f" (known: {', '.join([*ITEMS, ALL])})"
        raise UserError(
            f"there is no '{name}' to reproduce{suggestion(name, [*ITEMS, ALL]) or known}"
        )
    return [ITEMS[name]]
