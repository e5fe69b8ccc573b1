"""Sums in a fixed order, on devices that else add up what comes first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

#: Room that cuBLAS needs to sum in a fixed order.
_CUBLAS_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
_CUBLAS_ROOM = ":4096:8"


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Inside of it, a GPU gives the same results every time; a CPU always does.

    On CUDA, ``scatter_add`` and its like have no fixed order of their own. A run that goes on from
    a checkpoint would then not be the run that was never stopped. What has no fixed order on CUDA
    at all is allowed.

    Args:
        device: on which a run computes.
    """
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.callback(
                torch.use_deterministic_algorithms,
                torch.are_deterministic_algorithms_enabled(),
                warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
            )
            stack.callback(
                _fill_memory,
                torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
            )
            stack.enter_context(warnings.catch_warnings())
            _sum_in_order()
        yield


def _sum_in_order() -> None:
    # Of this project's operations, only ``cumsum`` of numbers is said to have no fixed order. Along
    # the last of several axes, as here, it has one.
    warnings.filterwarnings("ignore", message="cumsum_cuda_kernel does not have")
    os.environ.setdefault(_CUBLAS_VARIABLE, _CUBLAS_ROOM)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing reads memory that it has not written.
    _fill_memory(False)


def _fill_memory(value: bool) -> None:
    torch.utils.deterministic.fill_uninitialized_memory = value  # type: ignore[attr-defined]
