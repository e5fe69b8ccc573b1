"""The type checker that jaxtyping's import hook applies to every function of the project."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_CHECKED = beartype(
    conf=BeartypeConf(is_pep484_tower=True)
)  # an int may stand where a float is expected
#: What beartype cannot check, and mypy does: Self on a function, and protocols that are not for
#: isinstance.
_LEFT_TO_MYPY = re.compile(
    r"\b(Self|Component|DrawFn|Environment|ExplorationStrategy)\b"
)


def check_types(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have every call of ``function`` checked against its annotations.

    jaxtyping asks for this twice. A first call sees the arguments alone, and is annotated to
    return ``Any``. A second one sees the returned value too: the arguments need no second look,
    and the sizes of their axes are remembered.
    """
    hints = {
        name: hint
        for name, hint in function.__annotations__.items()
        if not _LEFT_TO_MYPY.search(str(hint))
    }
    if hints.get("return", Any) is not Any:
        hints = {"return": hints["return"]}
    function.__annotations__ = hints
    return _CHECKED(function)
