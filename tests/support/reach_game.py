"""A parallel game of PettingZoo whose agents choose numbers, each in a space of its own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

#: By the kind of game, the space of each agent's actions.
KINDS: dict[str, list[spaces.Space[Any]]] = {
    "differ": [
        spaces.Box(0.0, 4.0, (2,), np.float32),
        spaces.Box(-3.0, 1.0, (1,), np.float64),
        spaces.Box(np.zeros((3, 1)), np.full((3, 1), 2.0), dtype=np.float32),
    ],
    "alike": [spaces.Box(0.0, 4.0, (2,), np.float32)] * 3,
    "mixed": [spaces.Discrete(3), spaces.Box(0.0, 4.0, (2,), np.float32)],
    "unbounded": [spaces.Box(0.0, np.inf, (2,), np.float32)],
}


class Reaching(ParallelEnv):
    """Everybody sees what everybody did, and is paid its sum."""

    metadata: ClassVar = {"name": "reaching"}
    max_steps = 4

    def __init__(self, kind: str = "differ") -> None:
        self._spaces = KINDS[kind]
        self.possible_agents = [f"hand_{index}" for index in range(len(self._spaces))]
        self.agents: list[str] = []
        self.did: dict[str, np.ndarray] = {}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._spaces[self.possible_agents.index(agent)]

    def reset(
        self, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents = list(self.possible_agents)
        start = np.random.default_rng(seed).random(2).astype(np.float32)
        return dict.fromkeys(self.agents, start), {name: {} for name in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        for name, action in actions.items():
            space = self.action_space(name)
            assert space.contains(action), f"{name}: {action} is not in {space}"
        self.did = actions
        sums = {name: float(np.sum(action)) for name, action in actions.items()}
        seen = np.asarray([sum(sums.values()), 1], np.float32)
        no = dict.fromkeys(self.agents, False)
        infos: dict[str, Any] = {name: {} for name in self.agents}
        return dict.fromkeys(self.agents, seen), sums, no, no, infos


def parallel_env(kind: str = "differ") -> Reaching:
    """A game of a kind."""
    return Reaching(kind)
