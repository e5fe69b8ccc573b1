"""Whether a class or an object has the members of a protocol; what is missing or wrong is named."""

from __future__ import annotations

import inspect
from typing import Any


def misfits(part: Any, protocol: type) -> list[str]:
    """What keeps a part from fitting a protocol.

    Args:
        part: an object, or a class. Of a class only methods are asked for: it may set the rest when
            it is made.
        protocol: a protocol class.

    Returns:
        A phrase for each member that is missing or wrong, as ``"'step' is missing"``; empty where
        the part fits.
    """
    found = (_misfit(part, name, stated) for name, stated in members(protocol).items())
    return [phrase for phrase in found if phrase is not None]


def members(protocol: type) -> dict[str, Any]:
    """The public members that a protocol class states, by name.

    Args:
        protocol: a protocol class; members of its bases count too.
    """
    stated: dict[str, Any] = {}
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False):
            stated |= {k: v for k, v in vars(base).items() if not k.startswith("_")}
    return stated


def _misfit(part: Any, name: str, stated: Any) -> str | None:
    is_method = inspect.isfunction(stated)
    if inspect.isclass(part) and not is_method:
        return None
    try:
        found = getattr(part, name)
    except AttributeError:
        return f"'{name}' is missing"
    if not is_method:
        return (
            f"'{name}' must be a value, it is a method" if _is_method(found) else None
        )
    if getattr(found, "__isabstractmethod__", False):
        return f"'{name}' is missing"
    if not callable(found):
        return f"'{name}' must be a method"
    return _wrong_arguments(part, name, found, stated)


def _is_method(found: Any) -> bool:
    return inspect.ismethod(found) or inspect.isfunction(found)


def _wrong_arguments(part: Any, name: str, found: Any, stated: Any) -> str | None:
    """A phrase where the method cannot be called as the protocol calls it."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # written in C: nothing is known
        return None
    asked = list(inspect.signature(stated).parameters.values())[1:]
    positional = [one for one in asked if one.kind is not one.KEYWORD_ONLY]
    bound_to_class = inspect.isclass(part) and inspect.isfunction(found)
    count = len(positional) + bound_to_class
    try:
        signature.bind(*[None] * count)
    except TypeError:
        wanted = ", ".join(one.name for one in positional)
        return f"'{name}' must take ({wanted})"
    return None
