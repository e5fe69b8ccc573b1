"""The kernel knows neither the environments nor the paper; the environments do not know the paper."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

FORBIDDEN = {"marl_core": {"marl_envs", "marl_pr"}, "marl_envs": {"marl_pr"}}


def _files(package: str) -> list[Path]:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return sorted(Path(found.origin).parent.rglob("*.py"))


def _imported(source: str) -> Iterator[str]:
    """Every module that a file imports anywhere, lazily and by name too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if (
                "import" in ast.unparse(node.func)
            ):
                yield name


@pytest.mark.parametrize("package", FORBIDDEN)
def test_layers(package: str) -> None:
    files = _files(package)
    assert files
    for file in files:
        roots = {name.partition(".")[0] for name in _imported(file.read_text())}
        assert not roots & FORBIDDEN[package], (
            f"{file.name} imports {roots & FORBIDDEN[package]}"
        )


@pytest.mark.parametrize(
    "line",
    [
        "import marl_pr",
        "import marl_pr.strategy as s",
        "from marl_pr import resonate",
        "from marl_pr.resonance import resonate",
        "def f():\n    from marl_pr import resonate",
        "importlib.import_module('marl_pr.resonance')",
        "__import__('marl_pr')",
    ],
)
def test_no_import_escapes(line: str) -> None:
    assert {name.partition(".")[0] for name in _imported(line)} == {"marl_pr"}
