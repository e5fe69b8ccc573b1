"""Every rule is explained, and the page of the rules is what the code says."""

from __future__ import annotations

from typing import Any

import pytest

from marl_core.testing.rule import rule_of
from marl_core.testing.rules_page import SECTIONS, rules_page, section_of
from tests.support.places import REPOSITORY

RULES = [
    (title, name, check)
    for title, checks in SECTIONS.items()
    for name, check in checks.items()
]


def test_the_page_is_up_to_date() -> None:
    """Mend it by ``python -m marl_core.testing.rules_page > docs/reference/rules.md``."""
    page = REPOSITORY / "docs" / "reference" / "rules.md"
    assert page.read_text() == rules_page()


@pytest.mark.parametrize(("title", "name", "check"), RULES)
def test_a_rule_says_what_it_asks_why_and_what_breaks_it(
    title: str, name: str, check: Any
) -> None:
    rule = rule_of(name, check)
    for told in (rule.asks, rule.why, rule.broken_by):
        assert len(told) > 10
        assert told.endswith(".")
    assert f"| `{name}` |" in rules_page()


@pytest.mark.parametrize(
    ("rule", "kind", "section"),
    [
        ("nothing_is_nan", "environment", "environments"),
        ("schedules_depend_on_progress_alone", "coupling", "couplings"),
        ("schedules_depend_on_progress_alone", "exploration", "individual-policies"),
        ("individual.scores_are_only_read", "exploration", "individual-policies"),
        ("coupling.policies_are_only_read", "exploration", "couplings"),
        ("strategy_has_both_parts", "exploration", "whole-strategies"),
    ],
)
def test_the_section_that_explains_a_rule(rule: str, kind: str, section: str) -> None:
    assert section_of(rule, kind) == section
    titles = [title.lower().replace(" ", "-") for title in SECTIONS]
    assert section in titles
