"""The type checker that jaxtyping's import hook applies to functions with shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

_CHECKED = beartype(
    conf=BeartypeConf(is_pep484_tower=True)
)  # an int may stand where a float is expected
#: A shape, or the name of one in marl_core.reports.
_SHAPE = re.compile(
    r"\b(Bool|Float|Int|Shaped|UInt8)\[|\b(Points|Lines|ValuesOfRuns|Ends)\b"
)


def has_shapes(part: Any) -> bool:
    """Whether a function or the fields of a class say shapes.

    Args:
        part: a function or a class.
    """
    hints = getattr(part, "__annotations__", {}).values()
    return any(_SHAPE.search(str(hint)) for hint in hints)


def only_where_shapes_are() -> None:
    """Have jaxtyping leave all other functions and classes as they are.

    mypy knows their types. Without their checks the tests of QMIX and of rendering take a
    fifth less time.
    """
    whole = jaxtyping.jaxtyped

    def jaxtyped(**options: Any) -> Callable[[Any], Any]:
        decorate = whole(**options)
        return lambda part: decorate(part) if has_shapes(part) else part

    jaxtyping.jaxtyped = jaxtyped  # type: ignore[assignment]


def check_types(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have every call of ``function`` checked against the shapes of its annotations.

    jaxtyping asks for this twice. A first call sees the arguments alone, and is annotated to
    return ``Any``. A second one sees the returned value too: the arguments need no second look,
    and the sizes of their axes are remembered.
    """
    hints = function.__annotations__
    if hints.get("return", Any) is not Any:
        hints = {"return": hints["return"]}
    function.__annotations__ = {
        name: hint for name, hint in hints.items() if _SHAPE.search(str(hint))
    }
    return _CHECKED(function)
