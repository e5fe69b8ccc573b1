"""Where a page points to a function or a class, the file that it links to defines it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.code_blocks import pages
from tests.support.places import REPOSITORY

_POINTER = re.compile(r"\[`(?P<name>\w+(?:\.\w+)*)`\]\((?P<file>[^)#]+\.py)\)")


def _pointers() -> list[tuple[Path, str, str]]:
    return [
        (page, found["name"], found["file"])
        for page in pages()
        for found in _POINTER.finditer(page.read_text(encoding="utf-8"))
        if not found["name"].endswith(".py")
    ]


def _defined(file: Path) -> set[str]:
    """The names that a file defines, methods as ``Class.method``."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            names |= {f"{node.name}.{method.name}" for method in methods}
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize(
    ("page", "name", "link"), _pointers(), ids=lambda part: str(part).rpartition("/")[2]
)
def test_what_is_pointed_to_is_there(page: Path, name: str, link: str) -> None:
    file = (page.parent / link).resolve()
    path = file.relative_to(REPOSITORY).with_suffix("")
    module = ".".join(path.parts).removeprefix("src.").removesuffix(".__init__")
    assert name == module or name in _defined(file), f"{link} has no {name}"


def test_there_are_pointers() -> None:
    assert len(_pointers()) > 20
