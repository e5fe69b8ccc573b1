"""Whether there is room for what is kept."""

from __future__ import annotations

from pathlib import Path

import torch

from marl_core.notes import note

#: What Linux says of its memory.
_MEMORY = Path("/proc/meminfo")


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free on a device, in bytes; None where nobody says.

    Args:
        device: a CPU or another one.
    """
    if device.type == "cuda" and torch.cuda.is_available():
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu" or not _MEMORY.exists():
        return None
    for line in _MEMORY.read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return None


def tell_if_too_large(needed: int, device: torch.device) -> None:
    """Say so where a replay will take more memory than there is.

    A CPU's memory is taken page by page, so that the run would end hours after it was begun.

    Args:
        needed: by the replays of all processes that share the device's memory, in bytes.
        device: where they are.
    """
    free = free_bytes(device)
    if free is not None and needed > free:
        note(
            f"the replay grows to {_gigabytes(needed)}, and {_gigabytes(free)} are free on "
            f"{device}: the host should keep fewer episodes"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
