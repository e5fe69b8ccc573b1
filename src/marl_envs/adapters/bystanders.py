"""The agents that are not of the team which learns."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, final

import numpy as np
from gymnasium import spaces

from marl_envs.adapters.game import Behaviour
from marl_envs.adapters.spaces import Sight


@final
class Bystanders:
    """Agents that act by a rule of ours.

    Args:
        sights: what each of them sees, by name: its masks say what is legal.
        actions: the space of each one's actions, by name.
        behaviour: what they do.
    """

    def __init__(
        self,
        sights: Mapping[str, Sight],
        actions: Mapping[str, spaces.Space[Any]],
        behaviour: Behaviour,
    ) -> None:
        self._sights = sights
        # Copies, because spaces draw from generators of their own, and games may share a space.
        self._actions = {name: deepcopy(space) for name, space in actions.items()}
        self._behaviour = behaviour

    def reset(self, seed: int) -> None:
        """Begin a game.

        Args:
            seed: of all their draws.
        """
        streams = np.random.SeedSequence(seed).generate_state(len(self._actions))
        for space, stream in zip(self._actions.values(), streams, strict=True):
            space.seed(int(stream))

    def act(self, name: str, seen: Any, info: Any) -> Any:
        """What an agent does.

        Args:
            name: of the agent.
            seen: its observation.
            info: that came with it.
        """
        space = self._actions[name]
        mask = self._sights[name].mask(seen, info)
        if isinstance(space, spaces.Discrete):
            if self._behaviour == "random":
                return space.sample(None if mask is None else mask.astype(np.int8))
            first = 0 if mask is None else int(mask.argmax())
            return int(space.start) + first
        if self._behaviour == "random":
            return space.sample()
        return np.zeros(space.shape, space.dtype)
