"""What the site has beside the Markdown files: pages from the code, and files that pages link to.

- ``reference/settings.md`` is made from ``marl config schema``.
- ``reference/commands.md`` is made from the Typer app.
- ``reference/modules/...`` has one page for each package, made from the docstrings.
- CONTRIBUTING.md, CHANGELOG.md and SECURITY.md live at the top of the repository.
- Pages link to files of the repository by relative paths, so that the links work on a forge too.
  Each such file becomes a page of the site, and the links are turned to it.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from settings import settings_page
from typer.cli import get_docs_for_click
from typer.testing import CliRunner

from marl_core.cli.app import build_app

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("marl_core", "marl_envs", "marl_pr")
#: The package that ``reference/python.md`` shows.
FRONT_DOOR = "marl_core"
#: Markdown files outside of ``docs`` that are pages of their own.
PROJECT_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".html": "html"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here (called by MkDocs).

    Args:
        files: those found in ``docs``.
        config: the site's.

    Returns:
        ``files``, longer.
    """
    pages = {
        "reference/settings.md": settings_page(_schema()),
        "reference/commands.md": _commands(),
    }
    pages |= {site: _read(path) for path, site in PROJECT_PAGES.items()}
    written = {
        page.src_uri: page.content_string
        for page in files.documentation_pages()
        if page.src_uri.endswith(".md")
    }
    for site, text in [*written.items(), *pages.items()]:
        pages |= dict(_linked_files(site, text))
    pages |= dict(_module_pages())
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turn links to files of the repository to their pages on the site (called by MkDocs).

    Args:
        markdown: the page's text.
        page: the page.
        config: the site's.
        files: all files of the site.

    Returns:
        The text with its links turned.
    """
    site = page.file.src_uri
    if site.startswith(("source/", "reference/modules/")):
        return markdown

    def turned(link: re.Match[str]) -> str:
        path = _repository_path(site, link[1])
        if not (REPOSITORY / path).is_file():
            return link[1]
        return posixpath.relpath(_site_path(path), posixpath.dirname(site))

    return LINK.sub(turned, markdown)


def _repository_path(site: str, link: str) -> str:
    """The path in the repository of what a page links to."""
    origins = {page: path for path, page in PROJECT_PAGES.items()}
    origin = origins.get(site, f"docs/{site}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))


def _site_path(path: str) -> str:
    """The path in the site of a file of the repository."""
    if path in PROJECT_PAGES:
        return PROJECT_PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"source/{path}.md"


def _linked_files(site: str, markdown: str) -> Iterator[tuple[str, str]]:
    """A page with the text of each file outside of ``docs`` that a page links to."""
    for link in LINK.findall(markdown):
        path = _repository_path(site, link)
        target = _site_path(path)
        if target.startswith("source/") and (REPOSITORY / path).is_file():
            language = LANGUAGES.get(Path(path).suffix, "text")
            text = _read(path).rstrip("\n")
            yield target, f"# {path}\n\n`````` {language}\n{text}\n``````\n"


def _read(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def _schema() -> dict[str, object]:
    command = ["config", "schema"]
    result = CliRunner().invoke(build_app(), command, catch_exceptions=False)
    schema: dict[str, object] = json.loads(result.output)
    return schema


def _commands() -> str:
    command = typer.main.get_command(build_app())
    return get_docs_for_click(
        obj=command, ctx=typer.Context(command), name="marl", title="Commands"
    )


def _module_pages() -> Iterator[tuple[str, str]]:
    """A page for each package with its modules' docstrings, and a list of these pages."""
    entries = []
    for package in SOURCES:
        for folder in sorted((REPOSITORY / "src" / package).rglob("__init__.py")):
            name, *modules = _public_modules(folder.parent)
            if name != FRONT_DOOR:
                modules = [name, *modules]
            text = "\n\n".join(f"::: {module}" for module in modules)
            yield f"reference/modules/{name}.md", f"# {name}\n\n{text}\n"
            entries.append(f"- [`{name}`]({name}.md)")
    listing = "\n".join(entries)
    yield "reference/modules/index.md", f"# All packages\n\n{listing}\n"


def _public_modules(folder: Path) -> Iterator[str]:
    """A package by its dotted name, then its modules, but for those with an underscore in front."""
    package = ".".join(folder.relative_to(REPOSITORY / "src").parts)
    yield package
    for file in sorted(folder.glob("*.py")):
        if not file.stem.startswith("_"):
            yield f"{package}.{file.stem}"
