"""Folders in which ``module:Class`` names of a config are looked for, while it is read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marl_core.notes import note


@contextmanager
def modules_in(folders: Iterable[str | Path]) -> Iterator[None]:
    """Look for modules in some folders, after Python's own places.

    Afterwards ``sys.path`` is what it was before, but for folders from which a module was really
    imported: such a module may import its neighbours later.

    Args:
        folders: their paths.
    """
    wanted = [str(folder) for folder in folders]
    added = [folder for folder in dict.fromkeys(wanted) if folder not in sys.path]
    before = set(sys.modules)
    sys.path.extend(added)
    try:
        yield
    finally:
        used = _folders_of(set(sys.modules) - before)
        for folder in added:
            if folder not in used and folder in sys.path:
                sys.path.remove(folder)


def _folders_of(modules: Iterable[str]) -> set[str]:
    """The folders in which top-level modules were found."""
    found: set[str] = set()
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if "." in name or file is None:
            continue
        path = Path(file)
        folder = path.parent.parent if path.stem == "__init__" else path.parent
        found.add(str(folder))
    return found


def folders_of_named_modules(config: Mapping[str, Any]) -> list[Path]:
    """The folders of the modules that a config names as ``module:Class``, each once.

    Args:
        config: a run's, as JSON, which has been validated in this process.
    """
    tops = sorted({name.partition(".")[0] for name in named_modules(config)})
    loaded = [top for top in tops if top in sys.modules]
    return list(dict.fromkeys(map(folder_of, loaded)))


def named_modules(config: Mapping[str, Any]) -> list[str]:
    """The modules that a config names as ``module:Class``, sorted, each once.

    Args:
        config: a run's, as JSON.
    """
    names = {name.partition(":")[0] for name in _names(config) if ":" in name}
    return sorted(names)


def note_other_modules(config: Mapping[str, Any], folders: Iterable[Path]) -> None:
    """Say where a module is not the one that stands beside the config.

    Python has found another of the same name first, or this process has imported it before.

    Args:
        config: as plain values, which have been validated in this process.
        folders: where the modules are expected.
    """
    searched = list(folders)
    for top in sorted({name.partition(".")[0] for name in named_modules(config)}):
        loaded = getattr(sys.modules.get(top), "__file__", None)
        expected = next(_standing_in(searched, top), None)
        if not isinstance(loaded, str) or expected is None:
            continue
        if expected.read_bytes() != Path(loaded).read_bytes():
            beside = f"not {expected}, which is named the same"
            note(f"module '{top}' is {loaded}, {beside}")


def _standing_in(folders: Iterable[Path], name: str) -> Iterator[Path]:
    for folder in folders:
        for file in (folder / f"{name}.py", folder / name / "__init__.py"):
            if file.is_file():
                yield file


def folder_of(name: str) -> Path:
    """The folder in which Python finds a module: of a package's module, that of the package.

    Args:
        name: of a module that has been imported.
    """
    module = sys.modules[name.partition(".")[0]]
    package = getattr(module, "__path__", None)
    if package:
        return Path(next(iter(package))).parent
    return Path(str(module.__file__)).parent


def _names(part: Any) -> Iterator[str]:
    """Every ``name`` in a config."""
    if isinstance(part, Mapping):
        if isinstance(part.get("name"), str):
            yield part["name"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _names(inner)
