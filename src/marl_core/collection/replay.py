"""Episodes kept for hosts that learn from what earlier policies did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from jaxtyping import Int
from torch import Tensor

from marl_core.collection.replayed_steps import Places, steps_at, widened
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout
from marl_core.types.rollout import has_steps


@final
class Replay:
    """The newest whole episodes of one rank, as tensors ``[capacity, T, ...]`` on one device.

    Usage::

        replay.add(rollout)
        batch = replay.sample(64, generator, progress)  # a rollout of 64 different episodes

    Integers are stored in as few bytes as their range needs. A host's memory is not kept: a host
    that has one begins with its initial memory and plays an episode through.

    Args:
        capacity: how many episodes are kept.
        spec: what the environment gives.
    """

    def __init__(self, capacity: int, spec: EnvironmentSpec) -> None:
        self._capacity = capacity
        self._spec = spec
        self._stored: dict[str, Tensor] = {}
        self._table: Observation | None = None
        self._next = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def bytes_for(self, rollout: Rollout) -> int:
        """How much memory is taken by as many episodes as are kept, in bytes.

        Args:
            rollout: such episodes as will be added.
        """
        each = 0
        for name, value in _by_episode(rollout, self._spec).items():
            each += value[0].numel() * self._kept_type(name, value).itemsize
        return self._capacity * each

    def add(self, rollout: Rollout) -> None:
        """Keep the rollout's episodes; the oldest ones are overwritten.

        Args:
            rollout: of more episodes than there is room for, the last are kept.
        """
        self._table = rollout.table
        episodes = _by_episode(rollout, self._spec)
        if not self._stored:
            for name, value in episodes.items():
                self._stored[name] = self._room(name, value)
        games = rollout.actions.shape[1]
        kept = min(games, self._capacity)
        newest = torch.arange(kept, device=rollout.actions.device)
        slots = (self._next + newest) % self._capacity
        for name, value in episodes.items():
            stored = self._stored[name]
            stored.index_copy_(
                0,
                slots,
                value[games - kept :].to(stored.dtype),
            )
        self._next = (self._next + kept) % self._capacity
        self._size = min(self._size + kept, self._capacity)

    def sample(
        self, episodes: int, generator: torch.Generator, progress: Progress
    ) -> Rollout | None:
        """Different episodes, each as likely as any other.

        Args:
            episodes: how many.
            generator: on the device of the episodes.
            progress: how far the run is.

        Returns:
            None where there are not as many yet.
        """
        if self._size < episodes:
            return None
        order = torch.randperm(
            self._size,
            generator=generator,
            device=generator.device,
        )
        chosen = order[:episodes]
        drawn = {}
        for name, value in self._stored.items():
            drawn[name] = widened(value.index_select(0, chosen))
        return _rollout(
            drawn,
            self._spec.fixed_length,
            self._table,
            progress,
        )

    def sample_steps(
        self, steps: int, generator: torch.Generator, progress: Progress
    ) -> Rollout:
        """Single steps of any episodes, with repetition, each as likely as any other.

        Args:
            steps: how many.
            generator: on the device of the episodes.
            progress: how far the run is.

        Returns:
            A rollout of pieces of one step. Where the task does not end with it, it is truncated,
            and the observation after it is that of the next step.
        """
        kept = {name: value[: self._size] for name, value in self._stored.items()}
        place = _places(kept["valid"].sum(1), steps, generator)
        return steps_at(place, kept, self._table, progress)

    def state_dict(self) -> dict[str, Any]:
        """The episodes, and where the next one goes."""
        stored = {}
        for name, value in self._stored.items():
            # A clone: torch.save writes a view's whole storage.
            stored[name] = value[: self._size].clone()
        return {"stored": stored, "next": self._next}

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        device: torch.device | str,
        table: Observation | None,
    ) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.
            device: where the episodes are kept.
            table: the environment's table of distinct observations, if it is used.
        """
        self._table = table
        self._next = state["next"]
        self._size = 0
        self._stored = {}
        for name, value in state["stored"].items():
            self._size = value.shape[0]
            shape = (self._capacity, *value.shape[1:])
            room = torch.zeros(shape, dtype=value.dtype, device=device)
            room[: self._size] = value.to(device)
            self._stored[name] = room

    def _room(self, name: str, value: Tensor) -> Tensor:
        """An empty tensor for as many episodes as are kept."""
        shape = (self._capacity, *value.shape[1:])
        kept = self._kept_type(name, value)
        return torch.zeros(shape, dtype=kept, device=value.device)

    def _kept_type(self, name: str, value: Tensor) -> torch.dtype:
        """The smallest type that holds the integers of a tensor; the type of another tensor."""
        if value.dtype != torch.int64:
            return value.dtype
        spec = self._spec
        bound = max(
            spec.actions,
            spec.table_rows or 0,
            len(spec.levels),
        )
        # How many components a strategy has, and how many rows of entities there are, the
        # environment's spec does not say.
        if name == "component" or name.endswith(".entity_index"):
            return torch.int32
        if bound <= 2**8:
            return torch.uint8
        return torch.int16 if bound <= 2**15 else torch.int32


def _places(
    lengths: Int[Tensor, "episodes"], steps: int, generator: torch.Generator
) -> Places:
    """Where single steps are that are drawn from episodes of some lengths."""
    ends = lengths.cumsum(0)
    drawn = torch.rand(
        steps,
        generator=generator,
        device=lengths.device,
        dtype=torch.float64,
    )
    # The product may be rounded up to the number of all steps.
    index = torch.minimum((drawn * ends[-1]).long(), ends[-1] - 1)
    episode = torch.searchsorted(ends, index, right=True)
    step = index - (ends - lengths)[episode]
    return Places(episode, step, step == lengths[episode] - 1)


def _by_episode(rollout: Rollout, spec: EnvironmentSpec) -> dict[str, Tensor]:
    """The tensors of a rollout, episodes first, padded to the steps of the longest possible."""
    found = {}
    for name, value in rollout.tensors().items():
        if name == "reward" and not spec.individual_reward:
            continue  # it is the team's
        padded = _padded(value, spec.max_steps) if has_steps(name) else value
        found[name] = padded
    return found


def _padded(value: Tensor, steps: int) -> Tensor:
    by_episode = value.transpose(0, 1)
    games, length, *rest = by_episode.shape
    if length == steps:
        return by_episode
    padding = by_episode.new_zeros(
        games,
        steps - length,
        *rest,
    )
    return torch.cat([by_episode, padding], 1)


def _rollout(
    drawn: Mapping[str, Tensor],
    fixed_length: bool,
    table: Observation | None,
    progress: Progress,
) -> Rollout:
    """Episodes as a rollout, as long as the longest of them."""
    steps = drawn["valid"].shape[1]
    if not fixed_length:
        steps = int(drawn["valid"].sum(1).max())
    found = {}
    for name, value in drawn.items():
        cut = value[:, :steps].transpose(0, 1) if has_steps(name) else value
        found[name] = cut
    if "reward" not in found:
        team = found["team_reward"].unsqueeze(-1)
        found["reward"] = team.expand(found["actions"].shape)
    return Rollout.from_tensors(found, progress, table)
