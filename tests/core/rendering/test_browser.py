"""The pages in a real browser, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marl_core.types import Progress
from tests.support.episodes import battle, data_of, lesson

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install -e .[dev])"
)

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
BROWSER = os.environ.get("MARL_BROWSER") or next(
    filter(None, map(shutil.which, _NAMES)), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on PATH, and MARL_BROWSER names none"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox"]
        )
        yield started
        started.close()


class Tab:
    """A page that is open, and what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "console",
            lambda said: self.wrong.append(said.text) if said.type != "log" else None,
        )
        page.on(
            "request",
            lambda request: (
                self.wrong.append(request.url)
                if not request.url.startswith(("file:", "about:"))
                else None
            ),
        )

    def open(self, file: Path, address: str = "") -> None:
        self.page.goto(
            "about:blank"
        )  # or another address of the same file would not be a new page
        self.page.goto(f"{file.as_uri()}#{address}")
        self.until("player.before !== undefined")

    def until(self, script: str) -> None:
        """Playwright's own waiting would evaluate text in the page, which its policy forbids."""
        for _ in range(600):
            if self.page.evaluate(script):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it never came to {script}")

    @property
    def time(self) -> float:
        return float(self.page.evaluate("player.time"))

    def text(self, name: str) -> str:
        return str(self.page.locator(f"#{name}").inner_text())

    def point(self, script: str) -> None:
        self.page.mouse.move(*self.page.evaluate(script))


@pytest.fixture(params=[(1280, 800), (390, 844)], ids=["desktop", "phone"])
def tab(browser: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, offline=True
    )
    made = Tab(context.new_page())
    yield made
    assert made.wrong == []
    assert (
        made.page.evaluate("document.documentElement.scrollWidth") <= width
    )  # nothing sticks out
    context.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    _, once = lesson()
    history = tuple((when, once.policies.numpy().copy()) for when in range(0, 900, 100))
    for when, policies in history[:4]:
        policies[:] = 0
        policies[..., when // 100] = 1
    shown = {
        "battle": battle("training"),
        "lesson": lesson("training", history=history),
        "newest": lesson(),
    }
    for name, (viewer, episode) in shown.items():
        (folder / f"{name}.html").write_text(viewer.page(episode), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in shown}


@pytest.mark.parametrize("name", ["battle", "lesson"])
def test_play_pause_speed_and_scrub(
    tab: Tab, pages: dict[str, Path], name: str
) -> None:
    tab.open(pages[name], "step=0")
    assert tab.time == 0
    tab.page.click("#play")
    tab.until("player.time > 0.5")
    tab.page.keyboard.press(" ")
    assert tab.page.evaluate("player.playing") is False
    stopped = tab.time
    tab.page.wait_for_timeout(150)
    assert tab.time == stopped
    tab.page.locator("#scrub").fill("4")
    assert tab.time == 4
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowLeft")
    assert tab.time == 5
    assert tab.page.locator("#scrub").input_value() == "5"
    tab.page.keyboard.press("End")
    assert tab.time == tab.page.evaluate("player.last")
    tab.page.keyboard.press("Home")
    assert tab.time == 0
    tab.page.select_option("#speed", "4")
    tab.page.keyboard.press("Home")
    tab.page.click("#play")
    tab.until("!player.playing")
    assert tab.time == tab.page.evaluate("player.last")


@pytest.mark.parametrize("name", ["battle", "lesson", "newest"])
def test_light_and_dark_are_drawn_and_differ(
    tab: Tab, pages: dict[str, Path], name: str
) -> None:
    pictures = []
    for theme in ("light", "dark"):
        tab.open(pages[name], f"step=3&theme={theme}")
        pictures.append(tab.page.screenshot())
        drawn = (
            "[...document.querySelectorAll('canvas')].every(c => new Set(new Uint32Array("
            + (
                "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size > 1)"
            )
        )
        assert tab.page.evaluate(drawn)
    assert pictures[0] != pictures[1]
    tab.page.click("#theme")
    assert tab.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_battle_shows_what_a_guard_sees_and_intends(
    tab: Tab, pages: dict[str, Path]
) -> None:
    data, step = data_of(pages["battle"].read_text()), 4
    tab.open(pages["battle"], f"step={step}")
    assert "Point at a fighter" in tab.text("agent")
    plain = tab.page.locator("#arena").screenshot()
    tab.point("place(2)")
    said = tab.text("agent")
    assert said.startswith("Guard 2")
    for index in range(7):
        assert f"{data['policies'][step][2 * 7 + index] / 10:.1f} %" in said
    (done,) = tab.page.locator("#agent .bar.done").all_inner_texts()
    assert done.startswith(data["action_names"][data["actions"][step][2]])
    enemies = [other - 6 for other in data["seen"][step][2] if other >= 6]
    assert f"attackers {', '.join(map(str, enemies)) or 'nobody'}" in said
    assert tab.page.locator("#arena").screenshot() != plain
    tab.page.mouse.click(*tab.page.evaluate("place(9)"))
    assert "Attacker 3 · kept" in tab.text("agent")


def test_a_battle_shows_resonance_and_the_score(
    tab: Tab, pages: dict[str, Path]
) -> None:
    data = data_of(pages["battle"].read_text())
    for step in (
        0,
        data["component"].index(0),
        data["component"].index(1),
        data["steps"],
    ):
        tab.open(pages["battle"], f"step={step}")
        component = data["component"][min(step, data["steps"] - 1)]
        assert tab.text("badge") == (
            "in resonance" if component else "not in resonance"
        )
        living = sum(died < 0 or died > step for died in data["died"][:6])
        assert (tab.text("guards"), tab.text("earned")) == (
            str(living),
            f"{data['earned'][step]:.2f}",
        )
    assert tab.text("end") == data["end"]
    fallen = next(fighter for fighter, died in enumerate(data["died"]) if died > 0)
    tab.open(pages["battle"], f"step={data['steps']}&agent={fallen}")
    assert f"dead since step {data['died'][fallen]}, shot by" in tab.text("agent")


def test_a_lesson_shows_every_agents_policy_at_each_moment(
    tab: Tab, pages: dict[str, Path]
) -> None:
    data = data_of(pages["lesson"].read_text())
    assert data["snapshots"]["episodes"] == [
        *range(0, 900, 100),
        Progress(1000).episodes,
    ]
    for step in (2, 9):
        tab.open(pages["lesson"], f"step={step}")
        tab.page.locator("#policy1").scroll_into_view_if_needed()
        tab.point("place(1, 3)")
        said = tab.text("agent")
        assert said.startswith("Agent 3 at B1")
        policy = data["snapshots"]["policies"][step][1][30:40]
        shown = [
            line.split() for line in tab.page.locator("#agent .bar").all_inner_texts()
        ]
        assert [
            (label, int(action), float(share)) for label, action, share, _ in shown
        ] == [("action", action, share) for action, share in enumerate(percent(policy))]
        assert tab.text("greedy1") == f"{data['snapshots']['rewards'][step][1]:.2f}"
    assert not tab.page.locator("#note").is_visible()


def percent(policy: list[int]) -> list[float]:
    """Thousandths as percent."""
    return [share / 10 for share in policy]


def test_a_lesson_without_kept_policies_says_how_to_keep_them(
    tab: Tab, pages: dict[str, Path]
) -> None:
    tab.open(pages["newest"])
    assert "--set training.record_policies=true" in tab.text("note")


def test_without_kept_policies_the_player_goes_through_the_levels(
    tab: Tab, pages: dict[str, Path]
) -> None:
    data = data_of(pages["newest"].read_text())
    levels = len(data["levels"])
    assert levels == 3
    for step in range(levels + 1):
        tab.open(pages["newest"], f"step={step}")
        assert tab.page.locator("#player").is_visible()
        assert tab.text("where") == f"{step} of 3 levels"
        for level in range(levels):
            earned = f"{data['earned'][level]:.2f}" if level < step else "not yet"
            assert tab.text(f"earned{level}") == earned
        current = tab.page.locator(".current").all_inner_texts()
        assert len(current) == min(step, 1)
        assert f"{sum(data['earned'][:step]):.2f}" in str(
            tab.page.locator("#played").text_content()
        )
    tab.open(pages["newest"])
    assert tab.time == levels
    assert "not kept" not in tab.page.locator("body").inner_text()


def test_fighters_and_agents_are_chosen_by_keyboard(
    tab: Tab, pages: dict[str, Path]
) -> None:
    tab.open(pages["battle"], "step=4")
    tab.page.locator("#fighter").focus()
    tab.page.keyboard.type("Guard 2")
    assert tab.text("agent").startswith("Guard 2 · kept")
    tab.page.select_option("#fighter", "")
    assert "Point at a fighter" in tab.text("agent")
    tab.open(pages["lesson"], "step=4")
    tab.page.locator("#policy1").focus()
    assert tab.text("agent").startswith("Agent 0 at B1")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        tab.page.keyboard.press(key)
    assert tab.text("agent").startswith("Agent 2 at B1")
    assert tab.page.locator("#policy1").get_attribute("aria-valuetext") == "agent 2"
    assert tab.time == 4


@pytest.mark.parametrize("name", ["battle", "lesson", "newest"])
def test_everything_has_a_label_and_is_large_enough_to_touch(
    tab: Tab, pages: dict[str, Path], name: str
) -> None:
    tab.open(pages[name])
    controls = tab.page.locator("button, select, input, summary")
    assert controls.count() >= 5
    for control in controls.all():
        if control.is_visible():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 44
    unnamed = tab.page.locator("canvas:not([aria-label]), button:not([aria-label])")
    assert unnamed.count() == 0


def test_a_page_says_which_run_it_shows(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["battle"])
    tab.page.locator("#facts summary").click()
    said = tab.page.locator("#facts dl").inner_text()
    for fact in ("a run", "1,000 episodes", "as in training", "agents\n6"):
        assert fact in said


def test_a_phone_held_sideways_shows_the_whole_field(
    browser: Any, pages: dict[str, Path]
) -> None:
    context = browser.new_context(viewport={"width": 844, "height": 390}, offline=True)
    tab = Tab(context.new_page())
    tab.open(pages["battle"], "step=4")
    arena, header, controls = (
        tab.page.locator(name).bounding_box()
        for name in ("#arena", "header", "#player")
    )
    assert arena["y"] >= header["y"] + header["height"]
    assert arena["y"] + arena["height"] <= controls["y"]
    assert min(arena["width"], arena["height"]) > 250
    assert tab.wrong == []
    context.close()


def test_names_never_become_markup(tab: Tab, tmp_path: Path) -> None:
    bad = '<img src="x" onerror="alert(1)">'
    for number, (viewer, episode) in enumerate(
        (battle("training"), lesson("training"))
    ):
        levels = tuple(replace(level, name=bad) for level in episode.spec.levels)
        named = replace(
            episode,
            name=bad,
            component_names=(bad, bad),
            spec=replace(episode.spec, levels=levels),
        )
        file = tmp_path / f"{number}.html"
        file.write_text(viewer.page(named), encoding="utf-8")
        tab.open(file)
        if number == 0:
            tab.page.select_option("#fighter", "1")
            assert tab.text("badge") == bad
        else:
            tab.page.locator("#policy1").focus()
            assert bad in tab.text("agent")
        assert tab.page.locator("img").count() == 0
