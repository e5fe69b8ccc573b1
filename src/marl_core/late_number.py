"""Numbers that are read some time after a device was asked for them."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor


@final
class LateNumber:
    """A number on its way from a device to the host, which goes on meanwhile.

    Whoever reads a number at once waits until the device has done all that it was told before, and
    meanwhile nobody tells it what to do next. A late number is sent in its turn. When it is read,
    nothing that the device was told after that need be waited for.

    Args:
        value: a single number or truth value.
    """

    def __init__(self, value: Tensor) -> None:
        self._copy = value.detach().to("cpu", non_blocking=value.is_cuda)
        self._sent: torch.cuda.Event | None = None
        if value.is_cuda:
            self._sent = torch.cuda.Event()
            self._sent.record(torch.cuda.current_stream(value.device))

    def read(self) -> float:
        """The number, once it has arrived."""
        if self._sent is not None:
            self._sent.synchronize()
        return float(self._copy)
