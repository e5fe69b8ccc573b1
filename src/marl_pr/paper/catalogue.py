"""The names of what ``marl reproduce`` makes, without the imports that making it needs."""

from __future__ import annotations

from typing import Final

#: Makes every item.
ALL: Final = "all"
#: What each item shows, in the order in which ``all`` makes them: first what is short, and what
#: others need.
SUMMARIES: Final = {
    "fig1": "each agent's preference for u_gamma",
    "table1": "Lv-C reward over N",
    "theory": "which team sizes are trapped *",
    "fig5": "final return over N",
    "fig3": "two-stage training, PR and PR-Fast",
    "fig9": "step-level against episode-level coin",
    "fig7a": "final return over eta_max",
    "pmin": "final return over p_min and eta_max *",
    "fig8": "final return over tasks of Table 2",
    "value_resonance": "QMIX with resonance *",
    "fig4": "two-stage training, ADCA",
    "fig7b": "win rate over eta_max, ADCA",
    "fig6": "win rate over enemies, ADCA",
}
#: The item that needs a file of weights.
GIVEN_TEAM: Final = "given_team"
#: The item that needs other libraries.
STRANGERS: Final = "strangers"
#: Items that need what not everybody has, and so are no part of ``all``.
APART: Final = {
    GIVEN_TEAM: "continuations of the team in --weights, ADCA *",
    STRANGERS: "environments of other libraries, with and without PR *",
}
_FOOTNOTE = "* not in the paper"
#: Figures and tables of the paper that are no items, and why not.
NO_ITEMS: Final = {
    "fig2": "Fig. 2 is a sketch of the method, not a result",
    "fig7": "Fig. 7 has two parts, fig7a and fig7b",
    "table2": "Table 2 lists the tasks of FME, not a result",
    "table3": "Table 3 lists hyperparameters, not a result",
}


def named_like(kind: str) -> str:
    """The names of all items of a kind, in alphabetical order, for a message.

    Args:
        kind: what their names begin with: ``fig`` or ``table``.
    """
    names = sorted(name for name in SUMMARIES if name.startswith(kind))
    return ", ".join(names)


def list_of_items() -> str:
    """All items with what they show, a line for each."""
    listed = {**SUMMARIES, ALL: "all of them", **APART}
    width = max(map(len, SUMMARIES))
    lines = [f"{name:{width}}  {summary}" for name, summary in listed.items()]
    return "\n".join([*lines, _FOOTNOTE])
