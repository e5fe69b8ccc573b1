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
from typing import TYPE_CHECKING, Any, TypeVar

from marl_core.base_config import (
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
    PartConfig,
)
from marl_core.errors import UserError, suggestion

if TYPE_CHECKING:
    import torch

    from marl_core.capabilities import CouplingNeeds, HostCapabilities
    from marl_core.protocols import (
        Coupling,
        Environment,
        ExplorationStrategy,
        HostAlgorithm,
        IndividualPolicy,
    )
    from marl_core.types import EnvironmentSpec

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


def find_any(kinds: tuple[Kind, ...], name: object) -> tuple[Kind, Factory]:
    """The factory that a name stands for among several kinds, and its kind.

    Args:
        kinds: where to look, in this order.
        name: a registered name, or ``package.module:Class``.

    Raises:
        LookupError: there is no such name, or what it names is no such part; the argument is a
            sentence for the user.
    """
    if not isinstance(name, str):
        raise LookupError(f"a name was expected, found {name!r}")
    what = "exploration" if len(kinds) > 1 else kinds[0]
    for kind in kinds:
        entry = _entries(GROUPS[kind]).get(name)
        if entry is not None:
            loaded = imported(f"{what} '{name}' ({entry.value})", entry.load)
            return kind, _checked((kind,), what, name, loaded)[1]
    if ":" in name:
        return _checked(kinds, what, name, _import(what, name))
    known = sorted(known for kind in kinds for known in names(kind))
    hint = suggestion(name, known) or f" (known: {', '.join(known)})"
    raise LookupError(f"unknown {what} '{name}'{hint}")


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


def _protocol(kind: Kind) -> type:
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
    from marl_core.conformance import misfits

    if not callable(loaded):
        raise LookupError(f"'{name}' is no {what}: it is not a class")
    if not inspect.isclass(
        loaded
    ):  # a function that makes a part: its product is checked
        return kinds[0], loaded
    wrong = {kind: misfits(loaded, _protocol(kind)) for kind in kinds}
    fitting = [kind for kind in kinds if not wrong[kind] and _has_methods(loaded, kind)]
    if fitting:
        return fitting[0], loaded
    if "exploration" in kinds and _may_be_a_strategy(loaded):
        return "exploration", loaded  # looked at again once it is made
    kind = min(kinds, key=lambda kind: len(wrong[kind]) or 99)
    protocol = _protocol(kind).__name__
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
    from marl_core.conformance import members

    other_kinds: tuple[Kind, ...] = ("policy", "coupling")
    for kind in other_kinds:
        stated = members(_protocol(kind)).items()
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


def _build(
    kinds: tuple[Kind, ...], config: PartConfig, *args: Any, **keywords: Any
) -> Any:
    """Make the part that a config names, and see whether it fits its protocol."""
    from marl_core.conformance import misfits

    try:
        kind, factory = find_any(kinds, config.name)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    part = factory(config, *args, **keywords)
    wrong = misfits(part, _protocol(kind))
    if wrong:
        raise UserError(f"{kind} '{config.name}' does not fit: {', '.join(wrong)}")
    return part


def build_environment(
    config: EnvironmentConfig,
    *,
    games: int,
    device: torch.device | str,
    generator: torch.Generator,
) -> Environment:
    """Build the environment that a config names.

    Args:
        config: names it, and holds its settings.
        games: E, how many games it plays at once.
        device: where its tensors are.
        generator: where all its randomness comes from.

    Raises:
        UserError: there is no such environment, or it does not fit the protocol.
    """
    made: Environment = _build(
        ("environment",), config, games=games, device=device, generator=generator
    )
    return made


def build_host(
    config: HostConfig, spec: EnvironmentSpec, generator: torch.Generator
) -> HostAlgorithm:
    """Build the host algorithm that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.
        generator: where the initial weights come from; on the CPU.

    Raises:
        UserError: there is no such host, or it does not fit the protocol.
    """
    made: HostAlgorithm = _build(("host",), config, spec, generator)
    return made


def build_policy(config: ExplorationConfig, spec: EnvironmentSpec) -> IndividualPolicy:
    """Build the individual policy that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such policy, or it does not fit the protocol.
    """
    made: IndividualPolicy = _build(("policy",), config, spec)
    return made


def build_coupling(config: ExplorationConfig, spec: EnvironmentSpec) -> Coupling:
    """Build the coupling that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such coupling, or it does not fit the protocol.
    """
    made: Coupling = _build(("coupling",), config, spec)
    return made


def build_strategy(
    config: ExplorationConfig, spec: EnvironmentSpec
) -> ExplorationStrategy:
    """Build the whole strategy that a config names by one class.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such strategy, or it does not fit the protocol.
    """
    made: ExplorationStrategy = _build(("exploration",), config, spec)
    return made


def environment_spec(config: EnvironmentConfig) -> EnvironmentSpec:
    """What an environment gives: as its config declares it, else from one game that is built to
    look at it.

    Args:
        config: names the environment.

    Raises:
        UserError: there is no such environment, or it does not fit the protocol.
    """
    import torch

    from marl_core.abilities import Closes
    from marl_core.capabilities import DeclaresSpec

    if isinstance(config, DeclaresSpec):
        return config.spec()
    scratch = torch.Generator()
    environment = build_environment(config, games=1, device="cpu", generator=scratch)
    spec = environment.spec
    if isinstance(environment, Closes):
        environment.close()
    return spec


def host_capabilities(config: HostConfig) -> HostCapabilities:
    """What a host gives and needs: as its config declares it, else its class.

    Args:
        config: names the host.

    Raises:
        UserError: there is no such host, or nothing declares its capabilities.
    """
    from marl_core.capabilities import DeclaresCapabilities, HostCapabilities

    if isinstance(config, DeclaresCapabilities):
        return config.capabilities
    try:
        declared = getattr(find("host", config.name), "capabilities", None)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    if not isinstance(declared, HostCapabilities):
        message = (
            f"host '{config.name}' does not say what it gives and needs: "
            "neither its Config nor its class has 'capabilities'"
        )
        raise UserError(message, "host", "name")
    return declared


def coupling_needs(config: ExplorationConfig) -> CouplingNeeds:
    """What the coupling of an exploration asks of a host, as its config declares it; by default
    nothing.

    Args:
        config: of an exploration.
    """
    from marl_core.capabilities import CouplingNeeds, DeclaresNeeds

    return config.needs if isinstance(config, DeclaresNeeds) else CouplingNeeds()
