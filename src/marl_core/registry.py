"""Names to classes: entry points, and ``package.module:Class`` for code that is not packaged.

What stands behind a name is a *factory*, usually a class, that makes the part from its config. Its
attribute ``Config`` is a pydantic model; a factory without one has no settings.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from marl_core.base_config import LONGEST_NAME, Kind
from marl_core.conformance import members, misfits
from marl_core.errors import suggestion

#: The entry points under which packages register parts.
GROUPS: dict[Kind, str] = {
    "environment": "marl.environments",
    "host": "marl.hosts",
    "policy": "marl.policies",
    "coupling": "marl.couplings",
    "exploration": "marl.explorations",
}
#: What may stand under ``exploration`` in a config.
EXPLORATIONS: tuple[Kind, ...] = ("policy", "coupling", "exploration")
#: How the modules of this package begin. The rest of the project goes by registered names.
_OWN = "marl_core."
_DOTTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
#: Makes a part from its config: ``(config, *, games, device, generator)`` an environment,
#: ``(config, spec, generator)`` a host, ``(config, spec)`` all others.
Factory = Callable[..., Any]
AnyPart = TypeVar("AnyPart")


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted.

    Args:
        kind: of parts.
    """
    return sorted(_entries(GROUPS[kind]))


def commands() -> dict[str, EntryPoint]:
    """The commands that installed packages contribute to ``marl``."""
    return _entries("marl.commands")


def find(kind: Kind, name: object) -> Factory:
    """The factory that a name stands for.

    Args:
        kind: of parts.
        name: a registered name, or ``package.module:Class``.

    Raises:
        LookupError: there is no such name, or what it names is no such part; the argument is a
            sentence for the user.
    """
    return find_any((kind,), name)[1]


def find_any(
    kinds: tuple[Kind, ...], name: object, *, new: bool = True
) -> tuple[Kind, Factory]:
    """The factory that a name stands for among several kinds, and its kind.

    Args:
        kinds: where to look, in this order.
        name: a registered name, or ``package.module:Class``.
        new: whether a module may be imported for it that has not been before.

    Raises:
        LookupError: there is no such name, or what it names is no such part; the argument is a
            sentence for the user.
    """
    if not isinstance(name, str):
        raise LookupError(f"a name was expected, found {name!r}")
    if len(name) > LONGEST_NAME:
        raise LookupError(f"a name has at most {LONGEST_NAME} letters")
    what = "exploration" if len(kinds) > 1 else kinds[0]
    for kind in kinds:
        entry = _entries(GROUPS[kind]).get(name)
        if entry is not None:
            loaded = imported(f"{what} '{name}' ({entry.value})", entry.load)
            return kind, _checked((kind,), what, name, loaded)[1]
    if ":" in name:
        if not new:
            check_known(name)
        return _checked(kinds, what, name, _import(what, name))
    known = sorted(known for kind in kinds for known in names(kind))
    hint = suggestion(name, known) or f" (known: {', '.join(known)})"
    raise LookupError(f"unknown {what} '{name}'{hint}")


def recognised(kinds: tuple[Kind, ...], part: Factory) -> tuple[Kind, Factory]:
    """A class that goes by no name, and the first of several kinds that it is of.

    Args:
        kinds: what it may be, in this order.
        part: a class, or a function that makes a part.

    Raises:
        LookupError: it is no such part; the argument is a sentence for the user.
    """
    what = "exploration" if len(kinds) > 1 else kinds[0]
    return _checked(kinds, what, getattr(part, "__name__", str(part)), part)


def is_code(name: object) -> bool:
    """Whether a name is that of code which is no part of this project: ``module:Class``.

    Args:
        name: as a config gives it.
    """
    return isinstance(name, str) and ":" in name and not name.startswith(_OWN)


def check_known(name: str) -> None:
    """See that a name needs no code to be run that has not been run before.

    Args:
        name: ``package.module:Class``.

    Raises:
        LookupError: it does; the argument is a sentence for the user.
    """
    if not is_code(name):
        return
    module_name, _, class_name = name.partition(":")
    module = sys.modules.get(module_name)
    # A class of a part is harmless to look at; a function would be called.
    if module is None or not inspect.isclass(vars(module).get(class_name)):
        raise LookupError(untrusted(name))


def untrusted(name: str) -> str:
    """A sentence for whoever has a run folder that names code, and has not said to trust it.

    Args:
        name: of the code.
    """
    return (
        f"'{name}' is code that the run folder names, and running it needs your word: "
        "--trust (trust=True in Python), if you know who wrote the folder"
    )


def _import(what: str, name: str) -> object:
    if not _DOTTED.fullmatch(name):
        raise LookupError(f"'{name}' is not of the form package.module:Class")
    module_name, _, class_name = name.partition(":")
    module = imported(f"{what} '{name}'", lambda: importlib.import_module(module_name))
    if class_name not in vars(module):
        hint = suggestion(class_name, vars(module))
        raise LookupError(f"module '{module_name}' has no '{class_name}'{hint}")
    found: object = vars(module)[class_name]
    return found


def imported(what: str, load: Callable[[], AnyPart]) -> AnyPart:
    """What ``load`` imports.

    Whatever goes wrong in somebody else's module is told in one sentence, with the place.

    Args:
        what: what is imported, for the sentence.
        load: imports it.

    Raises:
        LookupError: the sentence.
    """
    try:
        return load()
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or "no reason given"
        if isinstance(error, ImportError):
            raise LookupError(f"cannot import {what}: {reason}") from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f" ({last.filename}:{last.lineno})"
        if isinstance(error, SyntaxError):
            place = ""
        kind = type(error).__name__
        raise LookupError(f"cannot import {what}: {kind}: {reason}{place}") from error


def protocol_of(kind: Kind) -> type:
    """The protocol that parts of a kind fit.

    Args:
        kind: of parts.
    """
    from marl_core import protocols  # late: it needs torch, and `marl --help` does not

    return {
        "environment": protocols.Environment,
        "host": protocols.HostAlgorithm,
        "policy": protocols.IndividualPolicy,
        "coupling": protocols.Coupling,
        "exploration": protocols.ExplorationStrategy,
    }[kind]


def _checked(
    kinds: tuple[Kind, ...], what: str, name: str, loaded: object
) -> tuple[Kind, Factory]:
    """The factory and its kind, if it makes what it is named as.

    Of several kinds, the first whose methods it has.
    """
    if not callable(loaded):
        raise LookupError(f"'{name}' is no {what}: it is not a class")
    if not inspect.isclass(loaded):
        # A function that makes a part: its product is checked.
        return kinds[0], loaded
    wrong = {kind: misfits(loaded, protocol_of(kind)) for kind in kinds}
    fitting = [kind for kind in kinds if not wrong[kind] and _has_methods(loaded, kind)]
    if fitting:
        return fitting[0], loaded
    if "exploration" in kinds and _may_be_a_strategy(loaded):
        return "exploration", loaded  # looked at again once it is made
    kind = min(kinds, key=lambda kind: len(wrong[kind]) or 99)
    protocol = protocol_of(kind).__name__
    problem = ", ".join(wrong[kind]) or "it has none of the members"
    raise LookupError(f"'{name}' is no {what} ({protocol}): {problem}")


def _has_methods(loaded: type, kind: Kind) -> bool:
    """A strategy's class has no methods to tell it by, but the two values that it consists of."""
    if kind != "exploration":
        return True
    annotated = {
        name
        for base in loaded.__mro__
        for name in vars(base).get("__annotations__", {})
    }
    return all(
        hasattr(loaded, part) or part in annotated
        for part in ("individual", "coupling")
    )


def _may_be_a_strategy(loaded: type) -> bool:
    """Whether a class may be a strategy that gets its two parts in its constructor.

    It has no method of a policy or a coupling, and is made from ``(config, spec)``.
    """
    other_kinds: tuple[Kind, ...] = ("policy", "coupling")
    for kind in other_kinds:
        stated = members(protocol_of(kind)).items()
        methods = [name for name, member in stated if inspect.isfunction(member)]
        if any(hasattr(loaded, name) for name in methods):
            return False
    if loaded.__init__ is object.__init__:  # type: ignore[misc]
        return False
    try:
        inspect.signature(loaded).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


def look_for_modules_in(*folders: str) -> None:
    """Add folders in which ``module:Class`` names are looked for, after Python's own.

    Args:
        folders: their paths.
    """
    sys.path.extend(folder for folder in folders if folder not in sys.path)
