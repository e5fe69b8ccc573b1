"""Names to implementations: entry points, and ``package.module:Class`` for code that is not packaged."""

from __future__ import annotations

import importlib
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from marl_core.config.components import ComponentConfig, EnvironmentConfig, ExplorationConfig, HostConfig, Kind
from marl_core.errors import UserError, suggestion

_GROUPS = {"environment": "marl.environments", "host": "marl.hosts", "exploration": "marl.explorations"}
_BASES: dict[str, type[ComponentConfig]] = {
    "environment": EnvironmentConfig,
    "host": HostConfig,
    "exploration": ExplorationConfig,
}
_DOTTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Component(Protocol):
    """A class that can be named in a config."""

    Config: type[ComponentConfig]

    def __call__(self, config: Any, *args: Any, **kwargs: Any) -> Any:
        """Build it."""


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted."""
    return sorted(_entries(_GROUPS[kind]))


def commands() -> dict[str, EntryPoint]:
    """The commands that installed packages contribute to ``marl``."""
    return _entries("marl.commands")


def find(kind: Kind, name: Any) -> Component:
    """The implementation that a name stands for.

    Raises:
        LookupError: no such name; its argument is a sentence for the user.
    """
    if not isinstance(name, str):
        raise LookupError(f"a name was expected, found {name!r}")
    entry = _entries(_GROUPS[kind]).get(name)
    if entry is not None:
        return _checked(kind, name, entry.load())
    if ":" not in name:
        known = names(kind)
        raise LookupError(f"unknown {kind} '{name}'{suggestion(name, known)} (known: {', '.join(known)})")
    return _import(kind, name)


def _import(kind: Kind, name: str) -> Component:
    if not _DOTTED.fullmatch(name):
        raise LookupError(f"'{name}' is not of the form package.module:Class")
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise LookupError(f"cannot import '{module_name}' for {kind} '{name}': {error}") from error
    if class_name not in vars(module):
        raise LookupError(f"module '{module_name}' has no '{class_name}'{suggestion(class_name, vars(module))}")
    return _checked(kind, name, vars(module)[class_name])


def _checked(kind: Kind, name: str, loaded: Any) -> Component:
    config = getattr(loaded, "Config", None)
    if not (isinstance(config, type) and issubclass(config, _BASES[kind])):
        raise LookupError(f"'{name}' is no {kind}: it needs an attribute Config, a subclass of {_BASES[kind].__name__}")
    return cast(Component, loaded)


def build(kind: Kind, config: ComponentConfig, *args: Any, **kwargs: Any) -> Any:
    """Build the component that a config names."""
    try:
        component = find(kind, config.name)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    return component(config, *args, **kwargs)
