"""The rooms are stacked: what lies lower never imports what lies higher, and there are no
circles.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = ("marl_core", "marl_envs", "marl_pr")
#: Which packages a package may not import.
FORBIDDEN = {
    "marl_core": {"marl_envs", "marl_pr"},
    "marl_envs": {"marl_pr"},
}
#: The rooms of the kernel, from the ground up. A room may import from itself and from those before
#: it.
ROOMS = (
    ("version", "errors", "notes", "rng", "returns", "shapes"),
    ("base_config", "types"),
    ("configured", "conformance", "joint_policy", "sequential_policy", "learning"),
    ("densities",),
    ("capabilities", "compiled_code", "entity_rows", "late_number"),
    ("abilities", "protocols", "observation_table"),
    ("registry",),
    ("construction",),
    ("config",),
    ("run_state", "coupling"),
    ("exploration",),
    ("collection",),
    ("hosts", "evaluation"),
    ("runs",),
    ("training",),
    ("rendering", "reports", "export"),
    ("sweep", "testing"),
    ("api",),
    ("cli",),
)


def _root(package: str) -> Path:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _files(package: str) -> list[Path]:
    return sorted(_root(package).rglob("*.py"))


def _module(package: str, file: Path) -> str:
    parts = file.relative_to(_root(package)).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join([package, *parts])


def _imported(source: str) -> Iterator[str]:
    """Every module that a file imports anywhere, lazily and by name too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if (
                "import" in ast.unparse(node.func)
            ):
                yield name


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_know_only_what_lies_below(package: str) -> None:
    files = _files(package)
    assert files
    for file in files:
        roots = {name.partition(".")[0] for name in _imported(file.read_text())}
        wrong = roots & FORBIDDEN[package]
        assert not wrong, f"{file.name} imports {wrong}"


def test_every_room_of_the_kernel_is_in_the_plan() -> None:
    known = {name for room in ROOMS for name in room}
    root = _root("marl_core")
    found = {path.stem for path in root.iterdir() if _is_room(path)}
    assert found - known == set()


def _is_room(path: Path) -> bool:
    is_module = path.suffix == ".py" and not path.stem.startswith("__")
    return is_module or (path / "__init__.py").exists()


def test_no_room_imports_from_above() -> None:
    level = {name: number for number, room in enumerate(ROOMS) for name in room}
    wrong = []
    for file in _files("marl_core"):
        own = _module("marl_core", file).split(".")
        if len(own) == 1 or own[1] == "__main__":
            continue  # the front doors, which stand above all
        for name in _imported(file.read_text()):
            parts = name.split(".")
            if parts[0] != "marl_core" or len(parts) < 2 or parts[1] not in level:
                continue
            if level[parts[1]] > level[own[1]]:
                wrong.append(f"{'.'.join(own)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_circles(package: str) -> None:
    """Lazy imports count too: a circle of them is a circle."""
    files = _files(package)
    modules = {_module(package, file) for file in files}
    graph = {}
    for file in files:
        own = _module(package, file)
        found = set(_imported(file.read_text())) & modules
        # A package's own front lists what it offers.
        graph[own] = {name for name in found if name != own and name != package}
    graph.pop(package, None)
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert len(order) >= len(graph)


@pytest.mark.parametrize(
    "line",
    [
        "import marl_pr",
        "import marl_pr.coupling as s",
        "from marl_pr import resonate",
        "from marl_pr.resonance import resonate",
        "def f():\n    from marl_pr import resonate",
        "importlib.import_module('marl_pr.resonance')",
        "__import__('marl_pr')",
    ],
)
def test_no_import_escapes(line: str) -> None:
    assert {name.partition(".")[0] for name in _imported(line)} == {"marl_pr"}
