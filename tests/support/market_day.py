"""A parallel environment with everything that strangers' environments have.

Three traders of a team and a thief. They see different things (a vector, a number, a dict with a
mask, a picture) and have different actions, one of them several at once. One trader comes a step
late, one may go home early, the thief does what our adapter has it do. A game ends when the market
closes (cut) or when all have gone (an end of the task).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

HOURS = 6
LATE, EARLY, STEADY, THIEF = "trader_late", "trader_early", "trader_steady", "thief"
EVERYONE = (LATE, EARLY, STEADY, THIEF)
GO_HOME = 1


class Market(ParallelEnv):
    """One market day.

    Args:
        fails_at: the hour at which a step raises; 0: none does.
    """

    def __init__(self, fails_at: int = 0) -> None:
        self.possible_agents = list(EVERYONE)
        self.agents: list[str] = []
        self.max_cycles = HOURS
        self.taken: list[dict[str, Any]] = []
        self._fails_at = fails_at
        self._seen = {
            LATE: spaces.Box(0, 9, (3,), np.float64),
            EARLY: spaces.Discrete(4),
            STEADY: spaces.Dict(
                {
                    "observation": spaces.Box(0, 1, (2, 2), np.float32),
                    "action_mask": spaces.MultiBinary(3),
                }
            ),
            THIEF: spaces.Box(0, 1, (1,), np.float32),
        }
        self._acts = {
            LATE: spaces.MultiDiscrete([2, 3]),
            EARLY: spaces.Discrete(2),
            STEADY: spaces.Discrete(3, start=5),
            THIEF: spaces.Box(-1, 1, (2,), np.float32),
        }

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._seen[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._acts[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        self._random = np.random.default_rng(seed)
        self._hour = 0
        self._sum = 0.0
        self.agents = [EARLY, STEADY, THIEF]
        self.taken.clear()
        return self._look(self.agents), {name: {} for name in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        assert set(actions) == set(self.agents)
        if self._hour + 1 == self._fails_at:
            raise RuntimeError("the market\nburns")
        self.taken.append(actions)
        for name, action in actions.items():
            assert self._acts[name].contains(action), (name, action)
            self._sum += float(np.sum(action))
        self._hour += 1
        acting = list(self.agents)
        if self._hour == 1:
            acting.append(LATE)
        home = {name: name == EARLY and actions.get(name) == GO_HOME for name in acting}
        cut = {name: self._hour == HOURS and not home[name] for name in acting}
        rewards = {name: self._sum + len(name) for name in acting}
        self.agents = [name for name in acting if not home[name] and not cut[name]]
        infos = {name: {"hour": self._hour} for name in acting}
        return self._look(acting), rewards, home, cut, infos

    def state(self) -> np.ndarray:
        return np.array([self._hour, self._sum], dtype=np.float64)

    def close(self) -> None:
        self._acts = {}

    def _look(self, names: list[str]) -> dict[str, Any]:
        price = self._random.random()
        seen = {
            LATE: np.array([price, self._hour, 1.0]),
            EARLY: self._hour % 4,
            STEADY: {
                "observation": np.full((2, 2), price, np.float32),
                "action_mask": np.array([1, self._hour % 2, 0], np.int8),
            },
            THIEF: np.array([price], np.float32),
        }
        return {name: seen[name] for name in names}


def parallel_env(**arguments: Any) -> Market:
    """The market, as PettingZoo's modules offer their games."""
    return Market(**arguments)
