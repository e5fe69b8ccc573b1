"""YAML as data: documents that know the line of each of their parts."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from marl_core.config.yaml_limits import MOST_LETTERS, LimitError, check_limits
from marl_core.errors import Location, UserError

#: A letter has at most four bytes in UTF-8.
_MOST_BYTES = 4 * MOST_LETTERS


def read_document(path: Path) -> CommentedMap:
    """Read a YAML file that holds a run's config.

    Args:
        path: of the file.

    Raises:
        UserError: the file cannot be read, is no YAML, or does not hold a mapping.
    """
    document = parse_yaml(_read_text(path), f"{path}:")
    if isinstance(document, CommentedMap):
        return document
    kinds = {type(None): "an empty file", CommentedSeq: "a list"}
    found = kinds.get(type(document), "a single value")
    wanted = "a mapping with environment, host, exploration and stages"
    raise UserError(f"{path}:1: {wanted} is expected, found {found}")


def _read_text(path: Path) -> str:
    try:
        _check_file(path)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path}: cannot read the config: {reason}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = "cannot read the config: this is no UTF-8 text"
        raise UserError(f"{path}:{line}: {message}") from error


def _check_file(path: Path) -> None:
    """Refuse what has no end, as a device, or may have none, as a pipe."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path}: cannot read the config: this is no file")
    if found.st_size > _MOST_BYTES:
        message = f"it has more than {_MOST_BYTES:,} bytes"
        raise UserError(f"{path}: cannot read the config: {message}")


def parse_yaml(text: str, place: str) -> Any:
    """The YAML document in a text.

    Args:
        text: YAML.
        place: begins the message about a broken document; where it ends with a colon, the line
            follows.

    Raises:
        UserError: the text is no YAML, asks for too much, or has a tag.
    """
    try:
        check_limits(text)
        document = YAML().load(text)
    except LimitError as error:
        raise _broken(place, error.line, error.problem) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _broken(place, line, _problem(error)) from error
    except (YAMLError, ValueError) as error:  # ValueError: the 99th of a month, say
        raise _broken(place, 1, str(error)) from error
    except RecursionError as error:
        raise _broken(place, 1, "nested too deeply") from error
    tagged = _tag_in(document, 0)
    if tagged is not None:
        line, tag = tagged
        raise _broken(place, line + 1, f"the tag '{tag}' is not understood")
    return document


def _problem(error: MarkedYAMLError) -> str:
    problem = error.problem or "cannot be parsed"
    # Some are a sentence in two halves.
    if problem.startswith("but ") and error.context:
        return f"{error.context} {problem}"
    return problem


def _broken(
    place: str,
    line: int,
    problem: str,
) -> UserError:
    where = f"{place}{line}" if place.endswith(":") else place
    reason = " ".join(problem.split())
    return UserError(f"{where}: broken YAML: {reason}")


def _tag_in(node: Any, line: int) -> tuple[int, str] | None:
    """Line (from 0) and name of the first tag, as ``!!python/object``; None where there is none."""
    tagged = isinstance(node, TaggedScalar | CommentedMap | CommentedSeq)
    if tagged and node.tag.value:
        return line, node.tag.value
    for key, child in _children(node):
        found = _tag_in(child, own_line(node, key) or line)
        if found is not None:
            return found
    return None


def _children(node: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(node, CommentedMap):
        pairs: Iterable[tuple[Any, Any]] = node.items()
        return pairs
    return enumerate(node) if isinstance(node, list) else ()


def plain(node: Any) -> Any:
    """A document as plain Python values, nothing shared between its parts.

    Args:
        node: of a document.
    """
    if isinstance(node, CommentedMap):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(value) for value in node]
    # ruamel's scalars are subclasses that remember their notation.
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def line_of(
    document: Any,
    location: Location,
) -> tuple[int, bool]:
    """The line of the deepest part of a location that a document holds, counted from 1.

    Args:
        document: a mapping, as ``read_document`` gives it.
        location: of the part.

    Returns:
        The line, and whether the document holds all of the location.
    """
    line: int = document.lc.line
    for key in location:
        found = own_line(document, key)
        if found is None:
            return line + 1, False
        line = found
        document = document[key]
    return line + 1, True


def own_line(node: Any, key: object) -> int | None:
    """The line of a key or an index, counted from 0.

    Args:
        node: a mapping or a list of a document.
        key: or index; YAML's keys may be anything.

    Returns:
        None where the node does not hold it.
    """
    if isinstance(node, CommentedSeq):
        inside = isinstance(key, int) and key < len(node)
        return int(node.lc.item(key)[0]) if inside else None
    if not isinstance(node, CommentedMap) or key not in node:
        return None
    if key in (node.lc.data or ()):
        return int(node.lc.key(key)[0])
    for merged in node.merge:  # by ``<<``
        line = own_line(merged, key)
        if line is not None:
            return line
    return None
