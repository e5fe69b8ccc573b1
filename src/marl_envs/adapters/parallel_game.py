"""A game of PettingZoo's parallel interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from marl_core.errors import UserError
from marl_envs.adapters.game import TeamView
from marl_envs.adapters.opponents import Opponent, Opponents
from marl_envs.adapters.rows import Layout, Rows
from marl_envs.adapters.spaces import Sight
from marl_envs.adapters.views import view_of


@final
class ParallelGame:
    """A parallel environment of PettingZoo, in which some agents learn and others do not.

    Args:
        make: makes the environment.
        teams: what the names of the agents who learn begin with, of one team or of several.
        others: who plays the other agents.
        max_steps: after which the game is cut; None: as the environment itself says.
        with_state: whether its global state is wanted.
        rebuild: whether every game is played in an environment made anew.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        teams: Sequence[str],
        others: Sequence[Opponent],
        max_steps: int | None,
        *,
        with_state: bool,
        rebuild: bool,
    ) -> None:
        self._env = make()
        self._make = make
        self._rebuild = rebuild
        names = _learners(self._env, teams)
        self._view = _view_of(self._env, names)
        self._opponents = Opponents(self._env, names, others)
        self._seen: Mapping[str, Any] = {}
        self._infos: Mapping[str, Any] = {}
        self._steps = 0
        self._with_state = with_state
        self.layout = self._layout(max_steps)

    def reset(self, seed: int, row: Rows) -> None:
        """Start anew.

        Args:
            seed: of the environment, and of rules and scripts that play other agents.
            row: of this game.
        """
        if self._rebuild:
            self._env.close()
            self._env = self._make()
        self._seen, self._infos = self._env.reset(seed=seed)
        self._opponents.reset(seed)
        self._steps = 0
        self._write(row, cut=frozenset())

    def step(self, row: Rows) -> None:
        """Advance by a step.

        Args:
            row: of this game.
        """
        actions = self._actions(row)
        seen, rewards, terminated, truncated, infos = self._env.step(actions)
        self._seen, self._infos = seen, infos
        self._steps += 1
        for index, name in enumerate(self._view.names):
            row.reward[index] = rewards.get(name, 0.0)
        cut = {name for name, so in truncated.items() if so and not terminated[name]}
        self._write(row, frozenset(cut))
        on = any(name in self._env.agents for name in self._view.names)
        late = on and self._steps >= self.layout.max_steps
        row.truncated[0] = late or (not on and not cut.isdisjoint(self._view.names))
        row.terminated[0] = not on and not row.truncated[0]

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _actions(self, row: Rows) -> dict[str, Any]:
        """What everybody does, in the environment's order of agents."""
        living = list(self._env.agents)
        found = self._opponents.actions(
            living,
            self._seen,
            self._infos,
            row,
        )
        for index, name in enumerate(self._view.names):
            if name in living:
                found[name] = self._view.decoded(row, index)
        return {name: found[name] for name in living}

    def _write(self, row: Rows, cut: frozenset[str]) -> None:
        """Write what is seen; whoever was cut off is alive and sees for the last time."""
        there = {*self._env.agents, *cut}
        seen, infos = self._seen, self._infos
        self._view.write_all(row, there, seen, infos)
        self._opponents.write(there, seen, infos, row)
        if self.layout.state:
            row.state[:] = np.asarray(self._env.state(), dtype=np.float32).ravel()

    def _layout(self, max_steps: int | None) -> Layout:
        _, infos = self._env.reset(seed=0)
        masks = any("action_mask" in info for info in infos.values() if info)
        state = np.size(self._env.state()) if self._with_state else 0
        view = self._view
        layout = Layout(
            view.names,
            view.features,
            view.actions,
            state,
            view.may_forbid(masks),
            _limit(self._env, max_steps),
            view.box,
        )
        return replace(layout, frozen=self._opponents.layouts(layout, masks=masks))


def _view_of(env: Any, names: list[str]) -> TeamView:
    sights = [Sight.of(env.observation_space(name)) for name in names]
    return view_of(names, sights, [env.action_space(name) for name in names])


def _learners(env: Any, teams: Sequence[str]) -> list[str]:
    """The names of the agents who learn, in the environment's order.

    Raises:
        UserError: a team has nobody.
    """
    for team in teams:
        if not any(name.startswith(team) for name in env.possible_agents):
            known = ", ".join(map(str, env.possible_agents))
            message = f"no agent's name begins with '{team}' (there are: {known})"
            raise UserError(message)
    return [name for name in env.possible_agents if name.startswith(tuple(teams))]


def _limit(env: Any, max_steps: int | None) -> int:
    """The greatest number of steps of a game."""
    if max_steps is not None:
        return max_steps
    inner = getattr(env, "unwrapped", env)
    for name in ("max_cycles", "max_iter", "max_steps", "_max_episode_steps"):
        for where in (env, inner, getattr(inner, "env", None)):
            found = getattr(where, name, None)
            if isinstance(found, int) and found > 0:
                return found
    message = "the environment does not say how long a game lasts"
    raise UserError(f"{message}: environment.max_steps must")
