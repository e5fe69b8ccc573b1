"""Names to implementations: entry points, and ``package.module:Class`` for code that is not packaged."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from marl_core.config.named import (
    ComponentConfig,
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
)
from marl_core.errors import UserError, suggestion

_GROUPS = {
    "environment": "marl.environments",
    "host": "marl.hosts",
    "exploration": "marl.explorations",
}
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
        return _checked(
            kind, name, imported(f"{kind} '{name}' ({entry.value})", entry.load)
        )
    if ":" not in name:
        known = names(kind)
        raise LookupError(
            f"unknown {kind} '{name}'"
            + (suggestion(name, known) or f" (known: {', '.join(known)})")
        )
    return _import(kind, name)


def _import(kind: Kind, name: str) -> Component:
    if not _DOTTED.fullmatch(name):
        raise LookupError(f"'{name}' is not of the form package.module:Class")
    module_name, _, class_name = name.partition(":")
    module = imported(f"{kind} '{name}'", lambda: importlib.import_module(module_name))
    if class_name not in vars(module):
        raise LookupError(
            f"module '{module_name}' has no '{class_name}'{suggestion(class_name, vars(module))}"
        )
    return _checked(kind, name, vars(module)[class_name])


def imported(what: str, load: Callable[[], Any]) -> Any:
    """What ``load`` imports. Whatever goes wrong in somebody else's module is told in one sentence, with the place.

    Raises:
        LookupError: the sentence.
    """
    try:
        return load()
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        if isinstance(error, ImportError):
            raise LookupError(f"cannot import {what}: {reason}") from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = (
            ""
            if isinstance(error, SyntaxError)
            else f" ({last.filename}:{last.lineno})"
        )
        raise LookupError(
            f"cannot import {what}: {type(error).__name__}: {reason}{place}"
        ) from error


def _checked(kind: Kind, name: str, loaded: Any) -> Component:
    """The class, if it is what it is named as: a subclass of its protocol that leaves nothing abstract."""
    from marl_core import (
        protocols,
    )  # late, with torch: `marl --help` needs the registry alone

    protocol: type = {
        "environment": protocols.Environment,
        "host": protocols.HostAlgorithm,
        "exploration": protocols.ExplorationStrategy,
    }[kind]
    if not (inspect.isclass(loaded) and protocol in loaded.__mro__):
        raise LookupError(
            f"'{name}' is no {kind}: it is no subclass of {protocol.__name__}"
        )
    config = getattr(loaded, "Config", None)
    if not (inspect.isclass(config) and issubclass(config, _BASES[kind])):
        raise LookupError(
            f"'{name}' is no {kind}: it needs an attribute Config, a subclass of {_BASES[kind].__name__}"
        )
    missing = [
        part
        for part in dir(loaded)
        if getattr(getattr(loaded, part, None), "__isabstractmethod__", False)
    ]
    if kind == "host" and not isinstance(
        getattr(loaded, "needs", None), protocols.HostNeeds
    ):
        missing.append("needs")
    if missing:
        raise LookupError(f"'{name}' is no whole {kind}: it lacks {', '.join(missing)}")
    return cast(Component, loaded)


def look_for_modules_in(*folders: str) -> None:
    """Folders in which ``module:Class`` names are looked for, after Python's own."""
    sys.path.extend(folder for folder in folders if folder not in sys.path)


def build(kind: Kind, config: ComponentConfig, *args: Any, **kwargs: Any) -> Any:
    """Build the component that a config names."""
    try:
        component = find(kind, config.name)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    return component(config, *args, **kwargs)
