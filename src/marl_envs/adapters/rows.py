"""The numbers of all games side by side, in memory that several processes may share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
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
        frozen: the shapes of the opponents that frozen runs play, one for each run.
    """

    agents: tuple[str, ...]
    features: int
    actions: int
    state: int
    masks: bool
    max_steps: int
    box: Bounds | None = None
    frozen: tuple[Layout, ...] = ()


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
        frozen: what the opponents of each frozen run see, and what they shall do.
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
    frozen: tuple[Rows, ...] = ()

    @classmethod
    def of(cls, layout: Layout, games: int) -> Rows:
        """Rows in the memory of this process.

        Args:
            layout: of the games.
            games: E.
        """
        return _made(
            layout,
            games,
            lambda shape, dtype, _: np.zeros(shape, dtype),
        )

    @classmethod
    def shared(cls, layout: Layout, games: int, block: mmap) -> Rows:
        """Rows in a block that other processes see too.

        Args:
            layout: of the games.
            games: E.
            block: of ``shared_size`` bytes at least.
        """

        def placed(shape: tuple[int, ...], dtype: type, start: int) -> np.ndarray:
            return np.ndarray(
                shape,
                dtype,
                block,
                start,
            )

        return _made(
            layout,
            games,
            placed,
        )

    def __getitem__(self, game: int) -> Rows:
        """The row of one game, which writes into the rows of all."""
        each = {name: array[game] for name, array in self.arrays().items()}
        return Rows(**each, frozen=tuple(rows[game] for rows in self.frozen))

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the team that learns, by their names."""
        names = [one.name for one in fields(self) if one.name != "frozen"]
        return {name: getattr(self, name) for name in names}


def shared_size(layout: Layout, games: int) -> int:
    """How many bytes rows need.

    Args:
        layout: of the games.
        games: E.
    """
    shapes = _shapes(layout, games).values()
    own = sum(_size(shape, dtype) for shape, dtype in shapes)
    return own + sum(shared_size(one, games) for one in layout.frozen)


_Shape = tuple[tuple[int, ...], type]
#: Makes an array of a shape and a type that begins at a place of a block.
_Maker = Callable[[tuple[int, ...], type, int], np.ndarray]


def _made(layout: Layout, games: int, make: _Maker, start: int = 0) -> Rows:
    """Rows whose arrays stand one after the other, and then those of the frozen opponents."""
    arrays: dict[str, np.ndarray] = {}
    for name, (shape, dtype) in _shapes(layout, games).items():
        arrays[name] = make(
            shape,
            dtype,
            start,
        )
        start += _size(shape, dtype)
    frozen = []
    for one in layout.frozen:
        frozen.append(
            _made(
                one,
                games,
                make,
                start,
            )
        )
        start += shared_size(one, games)
    return Rows(**arrays, frozen=tuple(frozen))


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


def _size(shape: tuple[int, ...], dtype: type) -> int:
    """Bytes of an array, up to where the next one begins."""
    bytes_needed = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return -(-bytes_needed // _ALIGNED) * _ALIGNED
