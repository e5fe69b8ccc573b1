"""Agents that do not learn and act by a rule of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        behaviours: what each of them does, by name.
    """

    def __init__(
        self,
        sights: Mapping[str, Sight],
        actions: Mapping[str, spaces.Space[Any]],
        behaviours: Mapping[str, Behaviour],
    ) -> None:
        self._sights = sights
        # Copies, because spaces draw from generators of their own, and games may share a space.
        self._actions = {name: deepcopy(space) for name, space in actions.items()}
        self._behaviours = behaviours

    def reset(self, seed: int) -> None:
        """Begin a game.

        Args:
            seed: of all their draws.
        """
        streams = np.random.SeedSequence(seed).generate_state(len(self._actions))
        for space, stream in zip(self._actions.values(), streams, strict=True):
            space.seed(int(stream))

    def actions(
        self,
        living: Sequence[str],
        seen: Mapping[str, Any],
        infos: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What they do.

        Args:
            living: the names of all agents that are there.
            seen: what each of them sees.
            infos: what came with it.
        """
        own = [name for name in living if name in self._behaviours]
        found = {}
        for name in own:
            info = infos.get(name)
            found[name] = self._action(name, seen[name], info)
        return found

    def _action(self, name: str, seen: Any, info: Any) -> Any:
        space = self._actions[name]
        mask = self._sights[name].mask(seen, info)
        is_random = self._behaviours[name] == "random"
        if isinstance(space, spaces.Discrete):
            if is_random:
                return space.sample(None if mask is None else mask.astype(np.int8))
            first = 0 if mask is None else int(mask.argmax())
            return int(space.start) + first
        if is_random:
            return space.sample()
        return np.zeros(space.shape, space.dtype)
