"""Run configs from YAML files and from ``--set`` overrides; every error says where."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from marl_core.config.report import explain
from marl_core.config.run import RunConfig
from marl_core.errors import UserError


def load_run(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read, override and validate a run config.

    Args:
        path: the YAML file. Its folder, and the current one, may hold modules that it names as ``module:Class``.
        overrides: ``dotted.key=value``, the value in YAML; numbers index lists (``stages.1.episodes=512``).

    Raises:
        UserError: one line for each mistake, with file and line, or with the override that made it.
    """
    document = _parse(path)
    data, overridden = _plain(document), [_split(override) for override in overrides]
    for keys, value in overridden:
        _set(data, keys, value)
    for folder in (str(path.resolve().parent), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)

    def where(location: tuple[str | int, ...]) -> str:
        for keys, _ in reversed(overridden):
            if location[: len(keys)] == keys or (location and keys[: len(location)] == location):
                return "--set " + ".".join(map(str, keys))
        return f"{path}:{_line(document, location)}"

    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise UserError("\n".join(explain(error, RunConfig, where))) from None


def dump_run(config: RunConfig) -> str:
    """The whole config as YAML, defaults written out; ``load_run`` reads it back to an equal one."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(config.model_dump(mode="json"), stream)
    return stream.getvalue()


def _parse(path: Path) -> CommentedMap:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise UserError(f"{path}: cannot read the config: {reason}") from error
    try:
        document = YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join((error.problem or "cannot be parsed").split())
        raise UserError(f"{path}:{line}: broken YAML: {problem}") from error
    except YAMLError as error:
        raise UserError(f"{path}: broken YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, CommentedMap):
        found = "an empty file" if document is None else f"a {type(document).__name__}"
        raise UserError(
            f"{path}:1: a mapping with environment, host, exploration and stages was expected, found {found}"
        )
    return document


def _plain(node: Any) -> Any:
    """The document as plain Python values, nothing shared between its parts."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):  # ruamel's scalars are subclasses that remember their notation
        if isinstance(node, kind):
            return kind(node)
    return node


def _split(override: str) -> tuple[tuple[str | int, ...], Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {override}: expected dotted.key=value")
    try:
        value = _plain(YAML().load(text))
    except YAMLError as error:
        raise UserError(f"--set {override}: the value is broken YAML") from error
    return tuple(int(part) if part.isdigit() else part for part in key.strip().split(".")), value


def _set(data: Any, keys: tuple[str | int, ...], value: Any) -> None:
    name = ".".join(map(str, keys))
    for key, following in zip(keys, (*keys[1:], None), strict=True):
        if isinstance(data, list):
            if not isinstance(key, int) or key >= len(data):
                raise UserError(f"--set {name}: '{key}' is no index into a list of {len(data)}")
        elif not isinstance(data, dict):
            raise UserError(f"--set {name}: there is nothing below '{key}' to set")
        elif following is not None and data.get(key) is None:
            data[key] = {}
        if following is None:
            data[key] = value
        else:
            data = data[key]


def _line(document: Any, location: tuple[str | int, ...]) -> int:
    """The line of the deepest part of a location that the document holds."""
    line: int = document.lc.line
    for key in location:
        if isinstance(document, CommentedMap) and key in document:
            line = document.lc.key(key)[0]
        elif isinstance(document, CommentedSeq) and isinstance(key, int) and key < len(document):
            line = document.lc.item(key)[0]
        else:
            break
        document = document[key]
    return line + 1
