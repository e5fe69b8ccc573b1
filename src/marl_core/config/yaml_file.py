"""Run configs from YAML files and from ``--set`` overrides; every error says where."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from marl_core.base_config import validate_strictly
from marl_core.config.report import mistakes
from marl_core.config.run import RunConfig
from marl_core.errors import Location, UserError, dotted
from marl_core.registry import look_for_modules_in

_INDEX = re.compile(r"[0-9]+")


def load_run(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read, override and validate a run config. See ``RunFile``."""
    return RunFile(path, overrides).config()


def dump_run(config: RunConfig) -> str:
    """The whole config as YAML, defaults written out; ``load_run`` reads it back to an equal one."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(config.model_dump(mode="json"), stream)
    return stream.getvalue()


@dataclass(frozen=True)
class _Override:
    """A ``--set``: where it leads, and the value."""

    keys: Location
    value: Any

    def __str__(self) -> str:
        return f"--set {dotted(self.keys)}"


class RunFile:
    """A run config's file, and what the command line says over it.

    Args:
        path: the YAML file. Its folder, and the current one, may hold modules that it names as ``module:Class``.
        overrides: ``dotted.key=value``, the value in YAML; numbers index lists (``stages.1.episodes=512``).

    Raises:
        UserError: the file or an override cannot be read; one line with the place.
    """

    def __init__(self, path: Path, overrides: Sequence[str] = ()) -> None:
        self._path = path
        self._document = _read(path)
        self._data = _plain(self._document)
        self._overrides = [
            _apply(self._data, *_split(override)) for override in overrides
        ]
        look_for_modules_in(str(path.resolve().parent), str(Path.cwd()))

    def config(self) -> RunConfig:
        """The valid config. Raises ``UserError`` with a line for each mistake: file and line, or the override."""
        try:
            return validate_strictly(RunConfig, self._data)
        except ValidationError as error:
            found = mistakes(error, RunConfig, self._data)
            raise UserError(
                "\n".join(
                    self._line(one.location, one.part, one.message) for one in found
                )
            ) from None

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Inside of it, a ``UserError`` about a part of the config gets that part's file and line."""
        try:
            yield
        except UserError as error:
            if not error.location:
                raise
            raise UserError(
                self._line(error.location, error.location, error.message)
            ) from error

    def _line(self, location: Location, part: Location, message: str) -> str:
        """The message with its place: the last override that said this part, or else the line of the file."""
        over = [one for one in self._overrides if location[: len(one.keys)] == one.keys]
        within = [
            one for one in self._overrides if one.keys[: len(location)] == location
        ]
        line, whole = _line_of(self._document, location)
        if (
            not over and not whole
        ):  # what the file does not have, an override must have begun
            over, within = within, []
        if over:
            place, implied = str(over[-1]), over[-1].keys[: len(part)] == part
        else:
            place, implied = (
                " with ".join(
                    [f"{self._path}:{line}", *dict.fromkeys(map(str, within))]
                ),
                not part,
            )
        sentence = [place, message] if implied else [place, dotted(part), message]
        return ": ".join(sentence).replace("\n", "\\n").replace("\r", "\\r")


def _read(path: Path) -> CommentedMap:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"{path}: cannot read the config: {(error.strerror or str(error)).lower()}"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{line}: cannot read the config: this is no UTF-8 text"
        ) from error
    document = _parse(text, f"{path}:")
    if not isinstance(document, CommentedMap):
        found = {type(None): "an empty file", CommentedSeq: "a list"}.get(
            type(document), "a single value"
        )
        raise UserError(
            f"{path}:1: a mapping with environment, host, exploration and stages is expected, found {found}"
        )
    return document


def _parse(text: str, place: str) -> Any:
    """The YAML document in a text. ``place`` begins the message about a broken one; after a colon comes the line."""

    def broken(line: int, problem: str) -> UserError:
        where = f"{place}{line}" if place.endswith(":") else place
        return UserError(f"{where}: broken YAML: {' '.join(problem.split())}")

    try:
        document = YAML().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = [error.problem or "cannot be parsed"]
        if reason[0].startswith("but ") and error.context:  # a sentence in two halves
            reason.insert(0, error.context)
        raise broken(mark.line + 1 if mark else 1, " ".join(reason)) from error
    except (YAMLError, ValueError) as error:  # ValueError: the 99th of a month, say
        raise broken(1, str(error)) from error
    except RecursionError as error:
        raise broken(1, "nested too deeply") from error
    tagged = _tag_in(document, 0)
    if tagged is not None:
        raise broken(tagged[0] + 1, f"the tag '{tagged[1]}' is not understood")
    return document


def _tag_in(node: Any, line: int) -> tuple[int, str] | None:
    """Line (from 0) and name of the first tag in a document, ``!!python/object`` for one; None where there is none."""
    tagged = isinstance(node, TaggedScalar | CommentedMap | CommentedSeq)
    if tagged and node.tag.value:
        return line, node.tag.value
    children = (
        node.items()
        if isinstance(node, CommentedMap)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    found = (_tag_in(child, _own_line(node, key) or line) for key, child in children)
    return next((one for one in found if one is not None), None)


def _plain(node: Any) -> Any:
    """The document as plain Python values, nothing shared between its parts."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    for kind in (
        bool,
        int,
        float,
        str,
    ):  # ruamel's scalars are subclasses that remember their notation
        if isinstance(node, kind):
            return kind(node)
    return node


def _split(text: str) -> tuple[list[str], Any]:
    """The keys and the value of ``dotted.key=value``."""
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"--set {text}: dotted.key=value is expected")
    return keys, _plain(_parse(value, f"--set {text}"))


def _apply(data: Any, keys: list[str], value: Any) -> _Override:
    """Write an override's value into ``data``, through mappings that need not be there yet."""
    place: Location = ()
    for key in keys[:-1]:
        place = (*place, _key(data, key, place, keys))
        if isinstance(data, dict) and data.get(key) is None:
            data[key] = {}
        data = data[place[-1]]
    place = (*place, _key(data, keys[-1], place, keys))
    data[place[-1]] = value
    return _Override(place, value)


def _key(data: Any, key: str, place: Location, keys: list[str]) -> str | int:
    """The key as ``data``, found at ``place``, is indexed. Raises ``UserError`` where it cannot be."""
    if isinstance(data, dict):
        return key
    held = f"--set {'.'.join(keys)}: {dotted(place)}"
    if not isinstance(data, list):
        raise UserError(f"{held} is a single value, so there is no '{key}' in it")
    if not _INDEX.fullmatch(key) or int(key) >= len(data):
        count = f"a list of {len(data)}, counted from 0" if data else "an empty list"
        raise UserError(f"{held} is {count}, so there is no '{key}' in it")
    return int(key)


def _line_of(document: Any, location: Location) -> tuple[int, bool]:
    """The line of the deepest part of a location that the document holds, and whether that is all of it."""
    line: int = document.lc.line
    for key in location:
        found = _own_line(document, key)
        if found is None:
            return line + 1, False
        line, document = found, document[key]
    return line + 1, True


def _own_line(node: Any, key: str | int) -> int | None:
    """The line of a key or an index, counted from 0; None where the node does not hold it."""
    if isinstance(node, CommentedSeq):
        return (
            int(node.lc.item(key)[0])
            if isinstance(key, int) and key < len(node)
            else None
        )
    if not isinstance(node, CommentedMap) or key not in node:
        return None
    if key in (node.lc.data or ()):
        return int(node.lc.key(key)[0])
    # Merged into the mapping by ``<<``.
    lines = (_own_line(merged, key) for merged in node.merge)
    return next((line for line in lines if line is not None), None)
