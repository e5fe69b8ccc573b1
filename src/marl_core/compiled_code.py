"""Code of our own in C++, compiled once on the machine where it runs.

The result lies in the user's cache folder, under a name that is made from the code, the compiler
and its options. So a change of any of these compiles anew, and processes that start at the same
time do not disturb each other.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from marl_core.errors import UserError

#: The compilers that are looked for, where the variable CXX names none.
_COMPILERS = ("c++", "g++", "clang++")
_OPTIONS = (
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-pthread",
)


def compiler() -> str:
    """The C++ compiler of this machine.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get("CXX")
    for name in (named,) if named else _COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    tried = named or ", ".join(_COMPILERS)
    message = (
        f"there is no C++ compiler here ({tried}); install one, name it in the variable CXX, "
        "or take kernels: torch"
    )
    raise UserError(message, "host", "kernels")


def library(source: str, constants: Mapping[str, int]) -> ctypes.CDLL:
    """Compile and load code.

    Args:
        source: in C++; its functions are ``extern "C"``.
        constants: numbers that the code knows when it is compiled.

    Raises:
        UserError: there is no compiler, or it does not compile the code.
    """
    return _library(source, tuple(sorted(constants.items())))


@cache
def _library(source: str, constants: tuple[tuple[str, int], ...]) -> ctypes.CDLL:
    command = [compiler(), *_OPTIONS]
    command += [f"-D{name}={value}" for name, value in constants]
    said = "\n".join([*command, _processor(), source])
    name = hashlib.sha256(said.encode()).hexdigest()[:24]
    path = _folder() / f"{name}.so"
    if not path.exists():
        _compile(command, source, path)
    return ctypes.CDLL(str(path))


def _folder() -> Path:
    cached = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cached) / "marl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # There is no home that can be written to: compile for this process alone.
        folder = Path(tempfile.mkdtemp(prefix="marl"))
    return folder


def _processor() -> str:
    """What distinguishes processors on which the same code must be compiled anew."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), "")


def _compile(command: list[str], source: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code = Path(folder) / "code.cpp"
        code.write_text(source, encoding="utf-8")
        part = Path(folder) / "code.so"
        done = subprocess.run(
            [*command, str(code), "-o", str(part)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            reason = errors[0] if errors else f"status {done.returncode}"
            message = f"{command[0]} does not compile the attention: {reason}"
            raise UserError(message, "host", "kernels")
        part.replace(path)
