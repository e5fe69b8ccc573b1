"""The numbers of all games side by side, in memory that several processes may share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final, final

import numpy as np

from marl_envs.adapters.bounds import Bounds

#: Where arrays begin in a shared block: at multiples of a cache line.
_ALIGNED: Final = 64


@dataclass(frozen=True)
class Layout:
    """The shapes of a game.

    Args:
        agents: the names of the team's agents, in their order.
        features: O; the vectors of agents who see less end in zeros.
        actions: A; the surplus actions of agents who have fewer are illegal. 0 with a box.
        state: S; 0: there is none.
        masks: whether some actions may be illegal.
        max_steps: no game lasts longer.
        box: of the team, where actions are numbers; None: they are counted.
    """

    agents: tuple[str, ...]
    features: int
    actions: int
    state: int
    masks: bool
    max_steps: int
    box: Bounds | None = None


@final
@dataclass(frozen=True)
class Rows:
    """What games say, leading axis E; of one game, the same without the axis.

    Args:
        features: ``[E, N, O]``.
        legal: which actions are legal, ``[E, N, A]``.
        alive: ``[E, N]``.
        state: ``[E, S]``.
        reward: of the last step, ``[E, N]``.
        terminated: the task itself has ended, ``[E, 1]``.
        truncated: a limit has ended the game, ``[E, 1]``.
        actions: what the agents shall do, ``[E, N]``; in a box ``[E, N, D]``.
        seeds: for the next reset, ``[E, 1]``; below zero: the game goes on.
    """

    features: np.ndarray
    legal: np.ndarray
    alive: np.ndarray
    state: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    actions: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, layout: Layout, games: int) -> Rows:
        """Rows in the memory of this process.

        Args:
            layout: of the games.
            games: E.
        """
        arrays: dict[str, np.ndarray] = {}
        for name, (shape, dtype) in _shapes(layout, games).items():
            arrays[name] = np.zeros(shape, dtype)
        return cls(**arrays)

    @classmethod
    def shared(cls, layout: Layout, games: int, block: mmap) -> Rows:
        """Rows in a block that other processes see too.

        Args:
            layout: of the games.
            games: E.
            block: of ``shared_size`` bytes at least.
        """
        arrays: dict[str, np.ndarray] = {}
        for name, (shape, dtype), start in _places(layout, games):
            arrays[name] = np.ndarray(shape, dtype, block, start)
        return cls(**arrays)

    def __getitem__(self, game: int) -> Rows:
        """The row of one game, which writes into the rows of all."""
        return Rows(**{name: array[game] for name, array in vars(self).items()})


def shared_size(layout: Layout, games: int) -> int:
    """How many bytes rows need.

    Args:
        layout: of the games.
        games: E.
    """
    *_, (_, (shape, dtype), start) = _places(layout, games)
    return start + int(np.prod(shape)) * np.dtype(dtype).itemsize + _ALIGNED


_Shape = tuple[tuple[int, ...], type]


def _shapes(layout: Layout, games: int) -> dict[str, _Shape]:
    agents = len(layout.agents)
    actions: _Shape = ((games, agents), np.int64)
    if layout.box is not None:
        actions = ((games, agents, layout.box.numbers), np.float32)
    return {
        "features": ((games, agents, layout.features), np.float32),
        "legal": ((games, agents, layout.actions), np.bool_),
        "alive": ((games, agents), np.bool_),
        "state": ((games, layout.state), np.float32),
        "reward": ((games, agents), np.float32),
        "terminated": ((games, 1), np.bool_),
        "truncated": ((games, 1), np.bool_),
        "actions": actions,
        "seeds": ((games, 1), np.int64),
    }


def _places(layout: Layout, games: int) -> Iterator[tuple[str, _Shape, int]]:
    """Each array's name and shape, and where it begins in a block."""
    start = 0
    for name, (shape, dtype) in _shapes(layout, games).items():
        yield name, (shape, dtype), start
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        start += -(-size // _ALIGNED) * _ALIGNED
