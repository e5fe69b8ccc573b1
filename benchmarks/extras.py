"""What a benchmark needs beyond the project itself."""

from __future__ import annotations

from importlib.util import find_spec


def need(module: str, installation: str) -> None:
    """End the program with one clear line where an optional package is missing.

    Args:
        module: the package's name in Python.
        installation: the command that installs it.

    Raises:
        SystemExit: the package is missing.
    """
    if find_spec(module) is None:
        raise SystemExit(f"this needs {module}, which is not installed: {installation}")
