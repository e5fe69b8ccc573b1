"""The page ``docs/reference/rules.md``, made from the rules' docstrings.

``python -m marl_core.testing.rules_page > docs/reference/rules.md`` writes it anew. A test sees
that it is up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marl_core.testing.checking import Checks
from marl_core.testing.couplings import COUPLING_CHECKS
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.explorations import EXPLORATION_CHECKS
from marl_core.testing.hosts import HOST_CHECKS
from marl_core.testing.policies import POLICY_CHECKS
from marl_core.testing.rule import rule_of

_INTRODUCTION = """\
# The rules

What the spec checker asks of each part, why, and what usually breaks it. `marl check` runs them, or
one line in your tests ([your own parts](../extending.md#is-it-right)). This is the order in which
they are run: rules about chance and hidden state come early, because these confuse all others. A
rule that asks nothing of a part, as about a state that is not saved, is not applicable. This page
is made from the docstrings of [`marl_core.testing`](../../src/marl_core/testing/__init__.py).
"""

#: Those of a strategy that are not those of its parts.
_OF_STRATEGIES = {
    name: check for name, check in EXPLORATION_CHECKS.items() if "." not in name
}
SECTIONS: Mapping[str, Checks[Any]] = {
    "Environments": ENVIRONMENT_CHECKS,
    "Host algorithms": HOST_CHECKS,
    "Individual policies": POLICY_CHECKS,
    "Couplings": COUPLING_CHECKS,
    "Whole strategies": _OF_STRATEGIES,
}
_OF_KIND = {
    "environment": "Environments",
    "host": "Host algorithms",
    "coupling": "Couplings",
    "individual": "Individual policies",
}


def section_of(rule: str, kind: str) -> str:
    """The anchor of the section that explains a rule.

    Args:
        rule: its name; that of a part of a strategy begins with the part.
        kind: what is checked, as the user names it.
    """
    part, dot, _ = rule.partition(".")
    if dot:
        title = _OF_KIND[part]
    elif kind in _OF_KIND:
        title = _OF_KIND[kind]
    else:
        found = (title for title, checks in SECTIONS.items() if rule in checks)
        of_explorations = ("Individual policies", "Couplings", "Whole strategies")
        title = next(one for one in found if one in of_explorations)
    return title.lower().replace(" ", "-")


def rules_page() -> str:
    """The whole page in Markdown."""
    sections = [_INTRODUCTION]
    for title, checks in SECTIONS.items():
        rows = [_row(name, checks) for name in checks]
        head = "| rule | asks | why | usually broken by |\n|---|---|---|---|"
        sections.append("\n".join([f"## {title}\n", head, *rows]) + "\n")
    return "\n".join(sections)


def _row(name: str, checks: Checks[Any]) -> str:
    rule = rule_of(name, checks[name])
    told = [f"`{name}`", rule.asks, rule.why, rule.broken_by]
    cells = (cell.replace("``", "`").replace("|", "\\|") for cell in told)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(rules_page(), end="")
