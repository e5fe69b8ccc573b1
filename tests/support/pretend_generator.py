"""Random numbers of a device that is not there."""

from __future__ import annotations

from typing import Any

import torch

DEVICE = torch.device("cuda:0")

_Generator = torch.Generator
#: C++ gives operations another Python object for a generator; its address stays.
_on_device: dict[int, PretendGenerator] = {}


def is_cuda(device: torch.device | str | None) -> bool:
    """Whether a device is a GPU."""
    return device is not None and torch.device(device).type == "cuda"


class PretendGenerator(torch.Generator):
    """Draws what the CPU's draws, and belongs to one device."""

    def __new__(cls, device: torch.device | str = "cpu") -> PretendGenerator:
        made = _Generator.__new__(cls, "cpu")  # type: ignore[call-arg]
        if is_cuda(device):
            _on_device[_address(made)] = made
        return made

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._of = DEVICE if is_cuda(device) else torch.device("cpu")

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self._of


def is_of_another_device(value: object, on_device: bool) -> bool:
    """Whether something is a generator that CUDA would refuse.

    Args:
        value: an argument of an operation.
        on_device: whether the operation's results are on the device.
    """
    if not isinstance(value, _Generator):
        return False
    return (_address(value) in _on_device) != on_device


def _address(generator: Any) -> int:
    address: int = generator._cdata
    return address
