"""Settings that are said over a config: ``--set dotted.key=value``, or ``set={...}`` in Python."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from marl_core.config.plain_values import check_plain
from marl_core.config.yaml_document import parse_yaml, plain
from marl_core.config.yaml_limits import MOST_DEPTH
from marl_core.errors import Location, UserError, dotted

#: Texts ``dotted.key=value`` with the value in YAML, or plain values by their dotted keys.
Overrides = Sequence[str] | Mapping[str, object]

#: An index into a list. No list of a config has more entries than nine digits can count.
_INDEX = re.compile(r"[0-9]{1,9}")


@final
@dataclass(frozen=True)
class Override:
    """One setting that is said over a config.

    Attributes:
        keys: where it leads.
        value: plain.
    """

    keys: Location
    value: Any

    def __str__(self) -> str:
        return f"--set {dotted(self.keys)}"


def apply_overrides(
    data: dict[str, Any],
    overrides: Overrides,
) -> list[Override]:
    """Write settings into a config.

    Args:
        data: a config's plain values; is changed.
        overrides: the settings, in the order in which they are said.

    Raises:
        UserError: one is not of the form, or leads nowhere.
    """
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            _check_value(name, value)
        pairs = [(_keys(name, name), _value(v)) for name, v in overrides.items()]
    else:
        pairs = [_split(text) for text in overrides]
    return [_apply(data, keys, value) for keys, value in pairs]


def _check_value(name: str, value: object) -> None:
    try:
        check_plain(value)
    except UserError as error:
        raise UserError(f"--set {_short(name)}: {error}") from error


def _value(value: object) -> object:
    """A value from Python as YAML would have given it, shared with nobody."""
    if isinstance(value, tuple):
        return [_value(inner) for inner in value]
    return copy.deepcopy(value)


def _split(text: str) -> tuple[list[str], Any]:
    """The keys and the value of ``dotted.key=value``."""
    name, equals, value = text.partition("=")
    keys = _keys(name if equals else "", text)
    return keys, plain(parse_yaml(value, f"--set {_short(text)}"))


def _keys(name: str, said: str) -> list[str]:
    keys = name.strip().split(".")
    if not all(keys):
        raise UserError(f"--set {_short(said)}: dotted.key=value is expected")
    if len(keys) > MOST_DEPTH:
        raise UserError(f"--set {_short(said)}: more than {MOST_DEPTH} keys")
    return keys


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:190]}...{text[-7:]}"


def _apply(
    data: Any,
    keys: list[str],
    value: Any,
) -> Override:
    """Write a value into ``data``, through mappings that need not be there yet."""
    place: Location = ()
    for key in keys[:-1]:
        place = (*place, _key(data, key, place, keys))
        if isinstance(data, dict) and data.get(key) is None:
            data[key] = {}
        data = data[place[-1]]
    place = (*place, _key(data, keys[-1], place, keys))
    data[place[-1]] = value
    return Override(place, value)


def _key(
    data: Any,
    key: str,
    place: Location,
    keys: list[str],
) -> str | int:
    """The key as ``data``, found at ``place``, is indexed; ``UserError`` where it cannot be."""
    if isinstance(data, dict):
        return key
    said = _short(".".join(keys))
    held = f"--set {said}: {dotted(place)}"
    if not isinstance(data, list):
        raise UserError(
            f"{held} is a single value, so there is no '{_short(key)}' in it"
        )
    if not _INDEX.fullmatch(key) or int(key) >= len(data):
        count = f"a list of {len(data)}, counted from 0" if data else "an empty list"
        raise UserError(f"{held} is {count}, so there is no '{_short(key)}' in it")
    return int(key)
