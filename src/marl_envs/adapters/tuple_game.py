"""A game of Gymnasium's interface in which observations and actions are tuples, one for each agent.

Level-based foraging and the robotic warehouse are such games.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import numpy as np
from gymnasium import spaces

from marl_core.errors import UserError
from marl_envs.adapters.rows import Layout, Rows
from marl_envs.adapters.spaces import Sight
from marl_envs.adapters.views import view_of

#: How environments call the number of steps after which they end a game.
_LIMITS: Final = ("_max_episode_steps", "max_steps")


@final
class TupleGame:
    """An environment of Gymnasium for a team.

    Args:
        make: makes the environment.
        max_steps: after which the game is cut; None: as the environment is registered.
        rebuild: whether every game is played in an environment made anew.
    """

    def __init__(
        self, make: Callable[[], Any], max_steps: int | None, *, rebuild: bool
    ) -> None:
        self._env = make()
        self._make = make
        self._rebuild = rebuild
        seen, acted = self._env.observation_space, self._env.action_space
        if not isinstance(seen, spaces.Tuple):
            message = (
                "a team's environment has a Tuple of observations, one for each agent"
            )
            raise UserError(f"{message}, and this one has {type(seen).__name__}")
        names = tuple(f"agent_{index}" for index in range(len(seen.spaces)))
        sights = [Sight.of(space) for space in seen.spaces]
        self._view = view_of(names, sights, _actions_of(acted, len(names)))
        self._steps = 0
        view = self._view
        masks = view.has_masks or view.differ
        limit = _limit(self._env, max_steps)
        self.layout = Layout(
            names, view.features, view.actions, 0, masks, limit, view.box
        )

    def reset(self, seed: int, row: Rows) -> None:
        """Start anew.

        Args:
            seed: of the environment.
            row: of this game.
        """
        if self._rebuild:
            self._env.close()
            self._env = self._make()
        seen, _ = self._env.reset(seed=seed)
        self._steps = 0
        self._write(row, seen)

    def step(self, row: Rows) -> None:
        """Advance by a step.

        Args:
            row: of this game.
        """
        agents = range(len(self._view.names))
        actions = tuple(self._view.decoded(row, index) for index in agents)
        seen, rewards, terminated, truncated, _ = self._env.step(actions)
        self._steps += 1
        row.reward[:] = rewards
        self._write(row, seen)
        # Some of these environments say it of each agent.
        row.terminated[0] = bool(np.all(terminated))
        late = bool(np.all(truncated)) or self._steps >= self.layout.max_steps
        row.truncated[0] = late and not row.terminated[0]

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _write(self, row: Rows, seen: Any) -> None:
        for index in range(len(self._view.names)):
            self._view.write(row, index, seen[index], None)


def _actions_of(space: spaces.Space[Any], agents: int) -> tuple[spaces.Space[Any], ...]:
    """The space of each agent's actions."""
    if isinstance(space, spaces.Tuple):
        return tuple(space.spaces)
    if isinstance(space, spaces.MultiDiscrete) and len(space.nvec) == agents:
        return tuple(spaces.Discrete(int(count)) for count in space.nvec)
    raise UserError(
        f"a team's actions are a Tuple, one for each agent, and not {space}"
    )


def _limit(env: Any, max_steps: int | None) -> int:
    registered = getattr(env.spec, "max_episode_steps", None)
    inner = (getattr(env.unwrapped, name, None) for name in _LIMITS)
    for found in (max_steps, registered, *inner):
        if found is not None:
            return int(found)
    message = "the environment does not say how long a game lasts"
    raise UserError(f"{message}: environment.max_steps must")
