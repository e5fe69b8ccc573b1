"""The site builds without a warning: all links and anchors lead somewhere, docstrings are read."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.places import REPOSITORY

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")
pytest.importorskip("mkdocs_jupyter")

#: mkdocs-material prints an advertisement of its successor otherwise.
ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    assert "WARNING" not in build.stderr
    return folder


class _Text(HTMLParser):
    """What a page shows."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self._parts: list[str] = []
        self.feed(page.read_text())

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def __str__(self) -> str:
        return " ".join("".join(self._parts).split())


def test_settings_come_from_the_schema(site: Path) -> None:
    page = str(_Text(site / "reference" / "settings.html"))
    for expected in (
        "episodes_per_update",
        "Batch size in episodes, over all ranks (Table 3).",
        "host: ppo_ma",
        "environment: adca",
        "gae_lambda",
    ):
        assert expected in page


def test_commands_come_from_the_application(site: Path) -> None:
    page = str(_Text(site / "reference" / "commands.html"))
    for expected in ("marl train", "marl config schema", "marl reproduce", "--set"):
        assert expected in page


def test_every_package_has_a_page_with_its_docstrings(site: Path) -> None:
    modules = site / "reference" / "modules"
    packages = {
        ".".join(file.parent.relative_to(REPOSITORY / "src").parts)
        for file in (REPOSITORY / "src").rglob("__init__.py")
    }
    assert {page.stem for page in modules.glob("*.html")} == {*packages, "index"}
    assert "never samples" in str(_Text(modules / "marl_core.html"))


def test_links_to_files_of_the_repository_lead_to_their_text(site: Path) -> None:
    shown = site / "source" / "examples" / "custom_host.py.html"
    assert "class Reinforce" in str(_Text(shown))
    assert (
        "source/examples/custom_host.py.html" in (site / "extending.html").read_text()
    )


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert "fonts.googleapis" not in text, page
        assert 'src="http' not in text, page
        assert '<link rel="stylesheet" href="http' not in text, page
