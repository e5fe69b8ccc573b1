"""Names come from anybody: in pages, figures and terminals they are text and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from marl_core.api.summary import Scores
from marl_core.cli.printing import print_scores
from marl_core.errors import printable
from marl_core.evaluation.scores import Evaluation, Score
from marl_core.evaluation.statistics import Interval
from marl_core.rendering import Episode, Mode, html_page
from marl_core.rendering.figure_text import figure_text
from marl_core.rendering.viewer import Viewer
from marl_core.types import Level
from tests.support.episodes import battle, data_of, lesson

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "</title></head><body onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "@@DATA@@ @@TITLE@@ @@CONTENT@@",
    "\u2028\u2029\u0000\u001b[31m\u009b",
    "\ud800 and \udfff",
    "\u202etxt.exe",
    "$\\frac$ $$ a_b^{c",
    "&lt;b&gt; &#60;",
    "\\u003c/script\\u003e",
    "_hidden",
    "[red]rich[/red] [/nothing]",
]
NAMES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), max_size=30),
    st.lists(
        st.sampled_from([*"<>&\"'/=!-@$_\\[]{}", "script", "\n"]), max_size=12
    ).map("".join),
)
KINDS: dict[str, Callable[[Mode], Any]] = {
    "adca": partial(battle, max_steps=3),
    "fme": lesson,
}


@cache
def _played(kind: str) -> tuple[Any, Episode]:
    return KINDS[kind]("training")


def _named(viewer: Viewer, episode: Episode, name: str) -> Episode:
    """The episode with a name in every place that has one."""
    levels = tuple(Level(name, level.kind) for level in episode.spec.levels)
    return replace(
        episode,
        name=name,
        component_names=(name, name),
        spec=replace(episode.spec, levels=levels),
    )


class Structure(HTMLParser):
    """All that a browser would take for markup."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[object] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _strings(data: Any) -> set[str]:
    if isinstance(data, str):
        return {data}
    inner = data.values() if isinstance(data, dict) else data
    if not isinstance(data, list | dict):
        return set()
    return set().union(*map(_strings, inner))


@cache
def _plain_structure(kind: str) -> list[object]:
    viewer, episode = _played(kind)
    return Structure(viewer.page(_named(viewer, episode, "plain"))).found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(name=NAMES)
def test_a_name_in_a_page_is_no_markup(kind: str, name: str) -> None:
    viewer, episode = _played(kind)
    page = viewer.page(_named(viewer, episode, name))
    page.encode()  # every letter can be written
    structure = Structure(page)
    assert structure.found == _plain_structure(kind)
    assert name in _strings(data_of(page)) or name == ""
    assert any(printable(name) in text for text in structure.texts)


@settings(max_examples=50)
@given(title=NAMES, said=NAMES)
@example(title=HOSTILE[0], said=HOSTILE[0])
def test_a_page_holds_any_text(title: str, said: str) -> None:
    page = html_page(title, "", {said: [said]})
    assert data_of(page) == {said: [said]}
    assert Structure(page).found == Structure(html_page("", "", {})).found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_figure_is_drawn_letter_by_letter(name: str) -> None:
    figure = Figure()
    axis = figure.subplots()
    axis.plot([0, 1], label=figure_text(name))
    legend = axis.legend()
    axis.set_title(figure_text(name))
    figure.canvas.draw()
    assert [text.get_text() for text in legend.get_texts()] == [figure_text(name)]
    shown = figure_text(name).replace(r"\$", "$").strip()
    assert shown == printable(name).strip()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["$\\frac$", "\ud800", "<svg onload=alert(1)>"])
def test_pictures_of_hostile_names_can_be_drawn(kind: str, name: str) -> None:
    viewer, episode = _played(kind)
    figure = Figure()
    viewer.draw(figure, _named(viewer, episode, name), 0)
    figure.canvas.draw()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_table_is_no_markup(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    score = Score(None, Interval(1, 1, 1), Interval(1, 1, 1))
    levels = ((Level(name, "A"), score),)
    print_scores(Scores(Evaluation(score, levels, 2)), made=f"on {name}")
    shown = "".join(capsys.readouterr().out.split())
    assert "".join(printable(name).split())[:6] in shown
    assert "\x1b" not in shown


@settings(max_examples=50)
@given(text=st.text(st.characters()))
def test_what_a_terminal_gets_is_one_line_that_it_does_not_obey(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert printable(shown) == shown
