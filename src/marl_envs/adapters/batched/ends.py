"""Which of many games are over, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Bool
from torch import Tensor


@final
class Ends:
    """Counts steps, and remembers how games ended until they are reset.

    Args:
        games: E.
        limit: after how many steps a game is cut.
        device: where the tensors are.
    """

    def __init__(self, games: int, limit: int, device: torch.device) -> None:
        self._limit = limit
        self._age = torch.zeros(games, dtype=torch.int64, device=device)
        self.terminated = torch.zeros(games, dtype=torch.bool, device=device)
        self.truncated = torch.zeros_like(self.terminated)

    @property
    def on(self) -> Bool[Tensor, "E"]:
        """Which games are on."""
        return ~(self.terminated | self.truncated)

    def reset(self, games: Bool[Tensor, "E"] | None) -> None:
        """Begin games anew.

        Args:
            games: which ones; None: all of them.
        """
        if games is None:
            games = torch.ones_like(self.terminated)
        self._age = self._age.masked_fill(games, 0)
        self.terminated = self.terminated & ~games
        self.truncated = self.truncated & ~games

    def advance(self, done: Bool[Tensor, "E"], *, done_at_limit: bool = False) -> None:
        """Take in a step.

        Args:
            done: which games the library says are over.
            done_at_limit: whether the library ends games at their limit by itself, so that being
                over at that step means to be cut.
        """
        on = self.on
        self._age = self._age + 1
        at_limit = self._age >= self._limit
        over = done & ~at_limit if done_at_limit else done
        self.terminated = self.terminated | (on & over)
        self.truncated = self.truncated | (on & at_limit & ~over)

    def state_dict(self) -> dict[str, Tensor]:
        """How long the games have lasted, and which are over."""
        return {
            "ends.age": self._age.clone(),
            "ends.terminated": self.terminated.clone(),
            "ends.truncated": self.truncated.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave; other entries are left alone.
        """
        self._age = state["ends.age"].to(self._age.device)
        self.terminated = state["ends.terminated"].to(self._age.device)
        self.truncated = state["ends.truncated"].to(self._age.device)
