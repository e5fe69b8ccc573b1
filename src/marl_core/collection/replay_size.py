"""How much memory a replay takes, known before anything is played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from marl_core.collection.replay import narrow_type
from marl_core.notes import note
from marl_core.types import EnvironmentSpec, Observation

_FLOAT = 4
_BOOL = 1
#: What Linux says of its memory.
_MEMORY = Path("/proc/meminfo")


def episode_bytes(spec: EnvironmentSpec, table: Observation | None) -> int:
    """What one episode takes in a replay, in bytes: as much as the longest one.

    Entities count as written out for every agent; as rows of the game they take less.

    Args:
        spec: what the environment gives.
        table: its table of distinct observations, where episodes are kept with it; else None.
    """
    seen = sum(_observation(spec, table))
    each_step = seen + sum(_step(spec))
    return spec.max_steps * each_step + seen


def _observation(spec: EnvironmentSpec, table: Observation | None) -> Iterator[int]:
    """The bytes of each part of what a team sees at a time."""
    agents = spec.agents
    if spec.agents_die:
        yield agents * _BOOL
    if spec.state_features is not None and (table is None or table.state is None):
        yield spec.state_features * _FLOAT
    if table is not None:
        yield agents * narrow_type(spec, "row").itemsize
        return
    if spec.features is not None:
        yield agents * spec.features * _FLOAT
    if spec.entities is not None:
        count, width = spec.entities
        yield agents * count * (width * _FLOAT + _BOOL)
    if spec.action_masks:
        yield agents * spec.actions * _BOOL


def _step(spec: EnvironmentSpec) -> Iterator[int]:
    """The bytes of each part of what a team does in a step, and of what comes of it."""
    yield spec.agents * narrow_type(spec, "actions").itemsize
    yield narrow_type(spec, "component").itemsize
    yield _FLOAT + 3 * _BOOL  # the team's reward; terminated, truncated, valid
    if spec.individual_reward:
        yield spec.agents * _FLOAT
    if spec.levels:
        yield narrow_type(spec, "level").itemsize
    if spec.wins:
        yield _BOOL


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free on a device, in bytes; None where nobody says.

    Args:
        device: a CPU or another one.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu" or not _MEMORY.exists():
        return None
    for line in _MEMORY.read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return None


def tell_if_too_large(
    episodes: int,
    spec: EnvironmentSpec,
    table: Observation | None,
    device: torch.device,
) -> None:
    """Say so where a replay will take more memory than there is.

    It takes it little by little, so that the run would end hours after it was begun.

    Args:
        episodes: how many are kept on the device, by all processes that share its memory.
        spec: what the environment gives.
        table: its table of distinct observations, where episodes are kept with it; else None.
        device: where they are kept.
    """
    free = free_bytes(device)
    needed = episodes * episode_bytes(spec, table)
    if free is not None and needed > free:
        note(
            f"the replay of {episodes} episodes grows to {_gigabytes(needed)}, and "
            f"{_gigabytes(free)} are free on {device}: the host should keep fewer"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
