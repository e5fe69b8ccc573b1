"""Runs by code of the user's own, in a module that says when it is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marl_core.api.run import Run
from marl_core.api.training import train
from tests.support.command import RUN

#: An environment of one's own. Importing it leaves a trace beside it.
MODULE = """\
from pathlib import Path

from marl_envs.fme import FME
import {neighbour}

with Path(__file__).with_name("imported").open("a") as file:
    file.write("x")


class Mine(FME):
    pass
"""


def write_module(folder: Path, name: str = "mine", addition: str = "") -> Path:
    """A module, and one that it imports from beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_neighbour.py").write_text("NUMBER = 1\n")
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(neighbour=f"{name}_neighbour") + addition)
    return path


def write_config(folder: Path, name: str = "mine") -> Path:
    """A config beside the module that it names."""
    path = folder / "run.yaml"
    path.write_text(RUN.replace("name: fme", f"name: {name}:Mine"))
    return path


def imports(folder: Path) -> int:
    """How often the module of a folder has been imported."""
    trace = folder / "imported"
    return len(trace.read_text()) if trace.exists() else 0


@contextmanager
def as_in_a_new_process(name: str = "mine") -> Iterator[None]:
    """Inside of it and afterwards, the module has not been imported."""
    path = list(sys.path)
    _forget(name)
    try:
        yield
    finally:
        _forget(name)
        sys.path[:] = path


def _forget(name: str) -> None:
    for module in (name, f"{name}_neighbour"):
        sys.modules.pop(module, None)


def trained(folder: Path, out: Path, addition: str = "", seed: int = 0) -> Run:
    """A finished run by a module of its own."""
    write_module(folder, addition=addition)
    config = write_config(folder)
    with as_in_a_new_process():
        return train(config, set={"seed": seed}, out=out, progress=False)
