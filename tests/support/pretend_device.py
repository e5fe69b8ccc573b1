"""A pretend GPU, for machines that have none.

Its tensors say that they are on cuda:0. They refuse what CUDA refuses: to be computed with together
with tensors of the CPU. And they compute on the CPU, so that code which depends on numbers runs
with real ones, and gives the CPU's results to the last bit.

Meanwhile it counts what the host waits for. It does not see what is no operation of PyTorch: Warp,
NCCL, compiled graphs, memory; nor that sums on a GPU are taken in another order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch

from tests.support.host_waits import HostWaits
from tests.support.on_device import COUNTING, Everywhere, OnDevice
from tests.support.pretend_generator import DEVICE, PretendGenerator

__all__ = ["DEVICE", "OnDevice", "pretend_device"]


class _Event:
    """A point in the order of what the device does."""

    def record(self, stream: object = None) -> None:
        """Nothing: all that was before has been done."""

    def synchronize(self) -> None:
        """Wait for this point, but not for what comes after it."""
        for waits in COUNTING:
            waits.add("late")


@contextmanager
def pretend_device() -> Iterator[HostWaits]:
    """Inside of it there is a pretend GPU, cuda:0; gives what the host waits for."""
    waits = HostWaits()
    COUNTING.append(waits)
    with ExitStack() as stack:
        stack.callback(COUNTING.remove, waits)
        stack.callback(_forget_tables)
        for name, stand_in in _of_cuda().items():
            stack.enter_context(mock.patch.object(torch.cuda, name, stand_in))
        stack.enter_context(mock.patch.object(torch, "Generator", PretendGenerator))
        # A module's parameters stay the same objects, although their class changes.
        swap = torch.__future__.set_swap_module_params_on_conversion
        stack.callback(swap, torch.__future__.get_swap_module_params_on_conversion())
        swap(True)
        # ``torch.tensor(..., device=...)`` moves its numbers where the mode sees it.
        stack.callback(torch._C._set_only_lift_cpu_tensors, False)
        torch._C._set_only_lift_cpu_tensors(True)
        stack.enter_context(Everywhere())  # type: ignore[no-untyped-call]
        yield waits


def _of_cuda() -> dict[str, Callable[..., object]]:
    """What stands in for functions and classes of ``torch.cuda``."""

    def nothing(*args: object) -> None:
        return None

    return {"_lazy_init": nothing, "current_stream": nothing, "Event": _Event}


def _forget_tables() -> None:
    """Forget the tables that environments have made on the device."""
    for name, module in list(sys.modules.items()):
        if name.startswith("marl_envs."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
