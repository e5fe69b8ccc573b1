"""The files of the modules that a config names, with what they import from beside them."""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from marl_core.config.module_folders import folder_of, named_modules
from marl_core.config.run import RunConfig
from marl_core.registry import is_code
from marl_core.runs.changes import learning_config

#: Of each named module: the hashes of its files.
Sources = dict[str, dict[str, str]]

#: Files of one module that are looked at.
_MOST_FILES = 1000
#: Folders of installed packages: what stands beside a module there is not its own.
_SHARED = ("site-packages", "dist-packages")


def sources_of(config: RunConfig) -> Sources:
    """The files behind a config's ``module:Class``, as they are now.

    What only watches a run does not count, nor do modules of this package.

    Args:
        config: which has been validated in this process, so that its modules are imported.
    """
    names = named_modules(learning_config(config.model_dump(mode="json")))
    sources: Sources = {}
    for name in names:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if is_code(f"{name}:") and isinstance(file, str):
            root = folder_of(name)
            sources[name] = _hashed(_files(Path(file), root, name.split(".")[0]))
    return sources


def digest(files: Mapping[str, str]) -> str:
    """A short text that is the same for equal files only, wherever they are.

    Args:
        files: the hashes of a module's files.
    """
    parts = sorted(f"{Path(file).name} {value}" for file, value in files.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def hash_of(file: Path) -> str | None:
    """The SHA-256 of a file; None where it cannot be read.

    Args:
        file: any.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    except OSError:
        return None


def _hashed(files: list[Path]) -> dict[str, str]:
    hashes = {str(file): hash_of(file) for file in files}
    return {file: value for file, value in hashes.items() if value is not None}


def _files(file: Path, root: Path, top: str) -> list[Path]:
    """A module's file and, over and over, those of what it imports below the same folder."""
    alone = _is_shared(root)
    found = {file.resolve(): None}
    waiting = [file]
    while waiting and len(found) < _MOST_FILES:
        one = waiting.pop()
        for name in _imports(one, root):
            if alone and name[0] != top:
                continue
            for other in _files_of(root, name):
                if other.resolve() not in found:
                    found[other.resolve()] = None
                    waiting.append(other)
    return list(found)


def _is_shared(root: Path) -> bool:
    standard = Path(sysconfig.get_path("stdlib"))
    return root.name in _SHARED or root.is_relative_to(standard)


def _imports(file: Path, root: Path) -> Iterator[list[str]]:
    """The names of the modules that a file imports anywhere, each as its parts."""
    try:
        tree = ast.parse(file.read_bytes())
        here = list(file.resolve().parent.relative_to(root.resolve()).parts)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return  # a compiled module, say
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from ([*module, alias.name] for alias in node.names)


def _files_of(root: Path, name: list[str]) -> Iterator[Path]:
    """The files that importing a name runs, as far as they are below a folder."""
    path = root
    for part in name:
        if not part.isidentifier():
            return
        path = path / part
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                yield file
