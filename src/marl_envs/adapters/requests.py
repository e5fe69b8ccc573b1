"""What games can be asked for, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from marl_core.errors import UserError
from marl_envs.adapters.game import Game
from marl_envs.adapters.rows import Rows

#: Reset those games that have a seed, or advance those that are on.
Request = Literal["reset", "step"]
#: Makes a game; it can be sent to another process.
GameMaker = Callable[[], Game]


def failure_of(request: str, error: Exception) -> str:
    """A line for what a game could not do.

    Args:
        request: what was asked for.
        error: what came of it.
    """
    if isinstance(error, UserError):
        return str(error)
    reason = " ".join(str(error).split())
    return f"the environment's {request} failed: {type(error).__name__}: {reason}"


def _reset(games: Sequence[Game], rows: Sequence[Rows]) -> None:
    for game, row in zip(games, rows, strict=True):
        seed = int(row.seeds[0])
        if seed < 0:
            continue
        row.reward[:] = 0
        row.terminated[0] = row.truncated[0] = False
        game.reset(seed, row)


def _step(games: Sequence[Game], rows: Sequence[Rows]) -> None:
    for game, row in zip(games, rows, strict=True):
        if row.terminated[0] or row.truncated[0]:
            row.reward[:] = 0
        else:
            game.step(row)


#: What is done with games and the row of each of them.
REQUESTS: Final[dict[Request, Callable[[Sequence[Game], Sequence[Rows]], None]]] = {
    "reset": _reset,
    "step": _step,
}
