"""What the host waits for: where a program needs a number that a device has yet to compute."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

_SOURCE = Path(__file__).parents[2] / "src"

#: Operations whose results the host has to know, or whose sizes it has to know.
_WAITS = {
    "_local_scalar_dense": "item",
    "equal": "equal",
    "allclose": "equal",
    "nonzero": "size",
    "masked_select": "size",
    "_unique2": "size",
    "unique_dim": "size",
    "unique_consecutive": "size",
    "bincount": "size",
    "repeat_interleave": "size",
}


class Operation(NamedTuple):
    """An operation on the device.

    Attributes:
        function: as PyTorch knows it.
        args: what it is called with.
        kwargs: what it is called with by name.
        lands: whether its results are on the device.
    """

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    lands: bool

    @property
    def name(self) -> str:
        """Of the function, without its namespace and overload."""
        name: str = self.function.__name__.partition(".")[0]
        return name


class HostWaits:
    """Counts, by kind and by place in the source.

    Kinds are ``item`` (a number is read), ``equal``, ``size`` (how many numbers there are depends
    on the numbers), ``to host`` and ``to device`` (numbers are copied at once), and ``late``: a
    number is read that was sent to the host some time before. While the host waits for a late one,
    the device has something to do.
    """

    def __init__(self) -> None:
        self._found = Counter[tuple[str, str]]()

    def clear(self) -> None:
        """Begin anew."""
        self._found.clear()

    def kinds(self) -> dict[str, int]:
        """How many there were of each kind."""
        found = Counter[str]()
        for (kind, _), count in self._found.items():
            found[kind] += count
        return dict(sorted(found.items()))

    def places(self) -> dict[str, int]:
        """How many there were at each place, as ``"size collection/episodes.py few_on"``."""
        named = {f"{kind} {place}": n for (kind, place), n in self._found.items()}
        return dict(sorted(named.items()))

    def add(self, kind: str) -> None:
        """Count one, at the innermost line of the source that is being run."""
        self._found[kind, _place()] += 1

    def see(self, operation: Operation) -> None:
        """Count what an operation makes the host wait for."""
        name = operation.name
        if name in _WAITS:
            self.add(_WAITS[name])
        elif name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            self._see_indices(operation)
        elif name == "where":
            for tensor in operation.args:
                if isinstance(tensor, Tensor) and tensor.is_cpu:
                    self.add("to device")
        elif name in ("_to_copy", "copy_"):
            self._see_copy(operation)

    def _see_indices(self, operation: Operation) -> None:
        indices = [one for one in operation.args[1] if one is not None]
        puts = "put" in operation.name
        fills = puts and operation.args[2].is_cpu
        for index in indices:
            if index.is_cpu and operation.lands:
                self.add("to device")
            elif index.dtype in (torch.bool, torch.uint8) and not fills:
                self.add("size")

    def _see_copy(self, operation: Operation) -> None:
        to, source = operation.args[0], operation.args[0]
        lands = operation.lands
        if operation.name == "copy_":
            source = operation.args[1]
            lands = not to.is_cpu
        at_once = not operation.kwargs.get("non_blocking")
        if source.is_cpu == lands and at_once:
            self.add("to device" if lands else "to host")


def _place() -> str:
    """The innermost function of the source that is being run."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_SOURCE):
            return f"{path.relative_to(_SOURCE)} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return "elsewhere"
