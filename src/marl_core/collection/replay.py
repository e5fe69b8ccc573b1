"""Episodes kept for hosts that learn from what earlier policies did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, final

import torch
from torch import Tensor

from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout

_OBSERVATIONS, _LAST = "observations", "last_observation"


@final
class Replay:
    """The newest whole episodes of one rank, as tensors ``[capacity, T, ...]`` on one device.

    Usage::

        replay.add(rollout)
        batch = replay.sample(64, generator, progress)   # a rollout of 64 different episodes; None: too few yet

    Integers are stored in as few bytes as their range needs. A host's memory is not kept: a host that has one begins
    with its initial memory and plays an episode through.
    """

    def __init__(self, capacity: int, spec: EnvironmentSpec) -> None:
        self._capacity, self._spec = capacity, spec
        self._stored: dict[str, Tensor] = {}
        self._table: Observation | None = None
        self._next, self._size = 0, 0

    def __len__(self) -> int:
        return self._size

    def add(self, rollout: Rollout) -> None:
        """Keep the rollout's episodes; the oldest give way. Of more than there is room for, the last are kept."""
        self._table = rollout.table
        episodes = _by_episode(rollout, self._spec)
        games = rollout.actions.shape[1]
        kept = min(games, self._capacity)
        if not self._stored:
            self._stored = {
                name: self._room(name, value) for name, value in episodes.items()
            }
        device = rollout.actions.device
        slots = (self._next + torch.arange(kept, device=device)) % self._capacity
        for name, value in episodes.items():
            self._stored[name].index_copy_(
                0, slots, value[games - kept :].to(self._stored[name].dtype)
            )
        self._next = (self._next + kept) % self._capacity
        self._size = min(self._size + kept, self._capacity)

    def sample(
        self, episodes: int, generator: torch.Generator, progress: Progress
    ) -> Rollout | None:
        """``episodes`` different ones, each as likely as any other; None where there are not as many yet."""
        if self._size < episodes:
            return None
        chosen = torch.randperm(
            self._size, generator=generator, device=generator.device
        )[:episodes]
        drawn = {
            name: _widened(value.index_select(0, chosen))
            for name, value in self._stored.items()
        }
        return _rollout(drawn, self._spec.fixed_length, self._table, progress)

    def state_dict(self) -> dict[str, Any]:
        """The episodes, and where the next one goes."""
        # Copied: of a part of a tensor, a file would hold the whole, empty room and all.
        stored = {
            name: value[: self._size].clone() for name, value in self._stored.items()
        }
        return {"stored": stored, "next": self._next}

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        device: torch.device | str,
        table: Observation | None,
    ) -> None:
        """Continue where ``state_dict`` was taken. ``table``: the environment's, if it is used."""
        self._table, self._next, self._size, self._stored = table, state["next"], 0, {}
        for name, value in state["stored"].items():
            self._size = value.shape[0]
            self._stored[name] = torch.zeros(
                (self._capacity, *value.shape[1:]), dtype=value.dtype, device=device
            )
            self._stored[name][: self._size] = value.to(device)

    def _room(self, name: str, value: Tensor) -> Tensor:
        dtype = value.dtype
        if dtype == torch.int64:
            spec = self._spec
            # Which components a strategy has, the environment's spec does not say.
            bound = (
                2**31
                if name == "component"
                else max(spec.actions, spec.situations or 0, len(spec.levels))
            )
            dtype = (
                torch.uint8
                if bound <= 256
                else torch.int16
                if bound <= 2**15
                else torch.int32
            )
        return torch.zeros(
            (self._capacity, *value.shape[1:]), dtype=dtype, device=value.device
        )


def _by_episode(rollout: Rollout, spec: EnvironmentSpec) -> dict[str, Tensor]:
    """The tensors of a rollout, episodes first, padded to the steps of the longest possible."""
    found: dict[str, Tensor] = {}
    steps = spec.max_steps
    for name, value in vars(rollout.observations).items():
        if value is not None:
            found[f"{_OBSERVATIONS}.{name}"] = _padded(value, steps)
    for name, value in vars(rollout.last_observation).items():
        if value is not None:
            found[f"{_LAST}.{name}"] = value
    for field in fields(rollout):
        value = getattr(rollout, field.name)
        if isinstance(value, Tensor) and (
            field.name != "reward" or spec.individual_reward
        ):
            found[field.name] = _padded(value, steps)
    return found


def _padded(value: Tensor, steps: int) -> Tensor:
    by_episode = value.transpose(0, 1)
    missing = steps - by_episode.shape[1]
    if missing == 0:
        return by_episode
    return torch.cat(
        [
            by_episode,
            by_episode.new_zeros(by_episode.shape[0], missing, *by_episode.shape[2:]),
        ],
        1,
    )


def _widened(value: Tensor) -> Tensor:
    return (
        value.long()
        if value.dtype in (torch.uint8, torch.int16, torch.int32)
        else value
    )


def _rollout(
    drawn: Mapping[str, Tensor],
    fixed_length: bool,
    table: Observation | None,
    progress: Progress,
) -> Rollout:
    steps = drawn["valid"].shape[1]
    if not fixed_length:
        steps = int(drawn["valid"].sum(1).max())
    seen: dict[str, dict[str, Tensor]] = {_OBSERVATIONS: {}, _LAST: {}}
    own: dict[str, Tensor] = {}
    for name, value in drawn.items():
        owner, _, part = name.partition(".")
        if owner == _LAST:
            seen[owner][part] = value
        elif owner == _OBSERVATIONS:
            seen[owner][part] = value[:, :steps].transpose(0, 1)
        else:
            own[name] = value[:, :steps].transpose(0, 1)
    own.setdefault(
        "reward", own["team_reward"].unsqueeze(-1).expand(own["actions"].shape)
    )
    return Rollout(
        observations=Observation(**seen[_OBSERVATIONS]),
        last_observation=Observation(**seen[_LAST]),
        progress=progress,
        table=table,
        **own,  # type: ignore[arg-type]
    )
