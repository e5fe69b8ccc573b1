"""Whether tensors in a checkpoint are such as the run would have written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

#: The type of all floating-point parameters, by Lightning's names of precisions. Others leave each
#: as it was built.
_TYPES = {
    "64-true": torch.float64,
    "bf16-true": torch.bfloat16,
    "16-true": torch.float16,
}


def parameter_type(built: torch.dtype, precision: str) -> torch.dtype:
    """The type that a parameter has in training.

    Args:
        built: the type with which it is built.
        precision: ``training.precision``.
    """
    return _TYPES.get(precision, built) if built.is_floating_point else built


def check_alike(
    what: str,
    found: Mapping[str, Any],
    expected: Mapping[str, Any],
    precision: str = "32-true",
) -> None:
    """Refuse tensors of other names, shapes or types, before anything is done with them.

    Args:
        what: they are, for the message: ``parameter``.
        found: what the checkpoint holds.
        expected: what has been built; what is no tensor there is not looked at.
        precision: ``training.precision``.

    Raises:
        ValueError: one is another. The message says which.
    """
    check_names(what, found, expected)
    for name, like in expected.items():
        if isinstance(like, Tensor):
            dtype = parameter_type(like.dtype, precision)
            check_tensor(f"the {what} '{name}'", found[name], tuple(like.shape), dtype)


def check_names(what: str, found: Collection[Any], expected: Collection[str]) -> None:
    """Refuse other names than those expected.

    Args:
        what: they name, for the message: ``parameter``.
        found: the names that the checkpoint holds.
        expected: the names that it should hold.

    Raises:
        ValueError: a name is missing or unknown. The message says which.
    """
    other = sorted(map(str, set(found) ^ set(expected)))
    if other:
        state = "missing" if other[0] in expected else "unknown"
        raise ValueError(f"the {what} '{other[0]}' is {state}")


def check_tensor(
    what: str, found: object, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Refuse what is no dense tensor of a shape and type.

    Args:
        what: it is, for the message.
        found: what the checkpoint holds.
        shape: that it should have.
        dtype: that it should have.

    Raises:
        ValueError: it is another.
    """
    if not isinstance(found, Tensor) or found.layout != torch.strided:
        raise ValueError(f"{what} is no tensor")
    if tuple(found.shape) != shape:
        sizes = f"{_size(tuple(found.shape))}, and should be {_size(shape)}"
        raise ValueError(f"{what} is {sizes}")
    if found.dtype != dtype:
        raise ValueError(f"{what} is of {found.dtype}, and should be of {dtype}")


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
