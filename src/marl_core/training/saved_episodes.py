"""Whether the episodes of a replay in a checkpoint are such as the run would have kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from marl_core.runs.saved_tensors import check_tensor
from marl_core.types import EnvironmentSpec
from marl_core.types.rollout import GAME_FIELDS, STEP_FIELDS, has_steps

_TRUTHS = frozenset({"valid", "terminated", "truncated"})
_SEEN = ("observations", "last_observation")


def check_episodes(
    saved: Mapping[str, Any], capacity: int, spec: EnvironmentSpec, components: int
) -> None:
    """Refuse episodes of other games, before anything is done with them.

    Args:
        saved: the state of the replay.
        capacity: how many episodes it keeps.
        spec: what the environment gives.
        components: how many the coupling has.

    Raises:
        ValueError: they are of other games. The message says in what.
    """
    stored, place = saved["stored"], saved["next"]
    if type(place) is not int or not 0 <= place < capacity:
        raise ValueError(f"the replay's next place is {place!r} of {capacity}")
    if not stored:
        return
    _check_names(stored, spec)
    size = _size(stored["valid"])
    if size > capacity or (size < capacity and place != size):
        found = f"{size} episodes and goes on at {place}"
        raise ValueError(f"the replay of {capacity} episodes has {found}")
    for name, value in stored.items():
        _check_shape(name, value, size, spec)
    _check_numbers(stored, "actions", spec.actions)
    _check_numbers(stored, "component", components)
    for seen in _SEEN:
        _check_numbers(stored, f"{seen}.row", spec.table_rows or 0)


def _check_names(stored: Mapping[str, Any], spec: EnvironmentSpec) -> None:
    known = {*STEP_FIELDS, *GAME_FIELDS}
    owners = {name.partition(".")[0] for name in stored}
    needed = {*_SEEN, *_TRUTHS, "actions", "team_reward", "component"}
    if spec.individual_reward:
        needed.add("reward")
    wrong = sorted((owners - known) | (needed - owners))
    if wrong:
        raise ValueError(f"the replay has no '{wrong[0]}', or nobody knows it")


def _size(value: object) -> int:
    return value.shape[0] if isinstance(value, Tensor) and value.dim() else 0


def _check_shape(name: str, value: Any, size: int, spec: EnvironmentSpec) -> None:
    what = f"the replay's '{name}'"
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} is no tensor")
    leading = [size, spec.max_steps] if has_steps(name) else [size]
    rest = list(value.shape[len(leading) :])
    if name in _TRUTHS or name in ("team_reward", "component"):
        rest = []
    elif name in ("actions", "reward"):
        rest = [spec.agents]
    dtype = torch.bool if name in _TRUTHS else value.dtype
    check_tensor(what, value, (*leading, *rest), dtype)


def _check_numbers(stored: Mapping[str, Tensor], name: str, count: int) -> None:
    """Refuse indices of things that are not there."""
    value = stored.get(name)
    if value is None:
        return
    if value.is_floating_point() or value.dtype == torch.bool:
        raise ValueError(f"the replay's '{name}' has no whole numbers")
    if value.numel() and not 0 <= int(value.min()) <= int(value.max()) < count:
        raise ValueError(f"the replay's '{name}' is not below {count}")
