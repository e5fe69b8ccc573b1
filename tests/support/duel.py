"""A parallel environment of two teams, which may learn, be scripted, or be frozen.

Two reds and two blues, who see and may do different things; with ``equal`` all see and may do the
same. Whoever shows a number sees what the others showed last. Blues tire of their last number: it
is illegal for a step. A red leaves where both blues show the number 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

ROUNDS = 5
REDS = ("red_0", "red_1")
BLUES = ("blue_0", "blue_1")
LEAVES_AT = 2


class Duel(ParallelEnv):
    """One duel.

    Args:
        equal: whether blues see and may do what reds see and may do.
    """

    def __init__(self, equal: bool = False) -> None:
        self.possible_agents = [*REDS, *BLUES]
        self.agents: list[str] = []
        self.max_cycles = ROUNDS
        self.taken: list[dict[str, Any]] = []
        self._equal = equal

    def _is_blue(self, agent: str) -> bool:
        return agent in BLUES and not self._equal

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        if not self._is_blue(agent):
            return spaces.Box(-1, 9, (6,), np.float32)
        seen = spaces.Box(-1, 9, (7,), np.float32)
        return spaces.Dict({"observation": seen, "action_mask": spaces.MultiBinary(4)})

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(4 if self._is_blue(agent) else 3)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        self._random = np.random.default_rng(seed)
        self._round = 0
        self._shown = dict.fromkeys(self.possible_agents, -1)
        self.agents = list(self.possible_agents)
        self.taken = []
        return self._look(self.agents), {name: {} for name in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        assert list(actions) == self.agents
        for name, action in actions.items():
            assert self.action_space(name).contains(action), (name, action)
            tired = self._is_blue(name) and self._shown[name] == action
            assert not tired, f"{name} is tired of {action}"
        self.taken.append(actions)
        acting = list(self.agents)
        self._shown |= {name: int(action) for name, action in actions.items()}
        self._round += 1
        leaves = all(self._shown[name] == LEAVES_AT for name in BLUES)
        gone = {name: leaves and name == REDS[0] for name in acting}
        cut = {name: self._round == ROUNDS and not gone[name] for name in acting}
        self.agents = [name for name in acting if not gone[name] and not cut[name]]
        rewards = {name: self._reward(name) for name in acting}
        return self._look(acting), rewards, gone, cut, {name: {} for name in acting}

    def _reward(self, name: str) -> float:
        """What is good for one team is bad for the other, and each likes its own number."""
        reds, blues = (sum(self._shown[one] for one in team) for team in (REDS, BLUES))
        gained = (reds - blues) * (1 if name in REDS else -1)
        return float(gained) + 0.25 * self._shown[name]

    def _look(self, names: list[str]) -> dict[str, Any]:
        wind = float(self._random.random())
        seen: dict[str, Any] = {}
        for name in names:
            shown = [self._shown[one] for one in self.possible_agents]
            number = float(self.possible_agents.index(name))
            vector = np.array([*shown, number, wind], np.float32)
            if self._is_blue(name):
                mask = np.ones(4, np.int8)
                if self._shown[name] >= 0:
                    mask[self._shown[name]] = 0
                vector = np.append(vector, np.float32(self._round))
                seen[name] = {"observation": vector, "action_mask": mask}
            else:
                seen[name] = vector
        return seen


def parallel_env(**arguments: Any) -> Duel:
    """The duel, as PettingZoo's modules offer their games."""
    return Duel(**arguments)


Legal = Mapping[str, np.ndarray | None]
Generator = np.random.Generator


def any_legal(
    seen: Mapping[str, Any], legal: Legal, generator: Generator
) -> dict[str, Any]:
    """A script: any legal number, drawn by the generator."""
    chosen = {}
    for name in seen:
        mask = legal[name]
        allowed = np.arange(3) if mask is None else np.flatnonzero(mask)
        chosen[name] = generator.choice(allowed)
    return chosen


class Counting:
    """A script that remembers: the number of the step, as far as it is legal."""

    def __init__(self) -> None:
        self.step = -1

    def __call__(
        self, seen: Mapping[str, Any], legal: Legal, generator: Generator
    ) -> dict[str, Any]:
        self.step += 1
        return dict.fromkeys(seen, self.step % 3)


def says_nothing(seen: Any, legal: Legal, generator: Generator) -> Any:
    return None


def forgets_one(seen: Any, legal: Legal, generator: Generator) -> Any:
    return dict.fromkeys(list(seen)[1:], 0)


def goes_too_far(seen: Any, legal: Legal, generator: Generator) -> Any:
    return dict.fromkeys(seen, 7)


def is_stubborn(seen: Any, legal: Legal, generator: Generator) -> Any:
    return dict.fromkeys(seen, 1)


def stumbles(seen: Any, legal: Legal, generator: Generator) -> Any:
    return seen["green_0"]


NOT_A_FUNCTION = 3
