"""The pages of the environments' viewers, as far as no browser is needed to judge them."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from marl_core.rendering import palette
from marl_envs.adca.viewer.page import page_content as adca_page
from marl_envs.fme.viewer.page import page_content as fme_page

PAGES = {"adca": adca_page(), "fme": fme_page()}
SKELETON = files("marl_core.rendering").joinpath("page.html").read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_put_into_a_page_as_markup(name: str) -> None:
    """Names of levels, couplings and actions come from users; they must stay text."""
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert way not in PAGES[name] + SKELETON


@pytest.mark.parametrize("name", PAGES)
def test_every_canvas_has_a_label(name: str) -> None:
    for canvas in re.findall(r"<canvas[^>]*>", PAGES[name]):
        assert "aria-label" in canvas
    for made in re.findall(r'make\("canvas".*?\}\)', PAGES[name], re.DOTALL):
        assert "aria-label" in made


def test_the_pages_colours_are_those_of_the_palette() -> None:
    known = set(palette.OKABE_ITO)
    colours = re.findall(r"--(?:one|two|three|four): (#\w{6})", SKELETON)
    assert len(colours) == 8
    assert set(colours) <= known
