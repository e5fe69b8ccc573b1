"""The other way round: an environment of ours for libraries that speak PettingZoo.

from marl_envs.adapters.as_pettingzoo import parallel_env

env = parallel_env("fme", agents=5, tag="1A1B1C")
observations, infos = env.reset(seed=0)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import torch
from gymnasium import spaces
from pettingzoo import ParallelEnv
from torch import Tensor

from marl_core.base_config import EnvironmentConfig
from marl_core.config.named import config_class
from marl_core.construction import build_environment
from marl_core.entity_rows import write_out_entities
from marl_core.observation_table import look_up, table_of
from marl_core.registry import find
from marl_core.types import NO_OP, EnvironmentSpec, Observation

_Seen = np.ndarray | dict[str, np.ndarray]


def parallel_env(name: str, **settings: Any) -> OneGame:
    """One game of a registered environment, with PettingZoo's parallel interface.

    Args:
        name: of the environment, as in a run's config.
        **settings: of the environment.

    Raises:
        UserError: there is no such environment.
        ValidationError: it refuses its settings.
    """
    model = config_class("environment", find("environment", name))
    config = model.model_validate({"name": name, **settings})
    assert isinstance(config, EnvironmentConfig)
    return OneGame(config)


@final
class OneGame(ParallelEnv):
    """One game of an environment of the kernel; agents are called ``agent_0`` and so on.

    Observations are features, or entities with rows of zeros where none is. Where actions may be
    illegal they are dicts of ``observation`` and ``action_mask``. A reward is the agent's own, or
    the team's where agents have none.

    Args:
        config: of the environment.
    """

    metadata: ClassVar = {"name": "marl", "render_modes": []}
    render_mode = None

    def __init__(self, config: EnvironmentConfig) -> None:
        self._config = config
        self._generator = torch.Generator()
        self._environment = self._built()
        self._spec: EnvironmentSpec = self._environment.spec
        self._table = table_of(self._environment)
        names = [f"agent_{index}" for index in range(self._spec.agents)]
        self.possible_agents = names
        self.agents: list[str] = []
        self._seen: Observation | None = None
        seen = _space_of(self._spec)
        self.observation_spaces = dict.fromkeys(names, seen)
        self.action_spaces = {name: _actions_of(self._spec) for name in names}
        size = self._spec.state_features
        if size is not None:
            self.state_space = _unbounded(size)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent may see.

        Args:
            agent: its name.
        """
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent may do.

        Args:
            agent: its name.
        """
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, _Seen], dict[str, dict[str, Any]]]:
        """Start the game anew.

        Args:
            seed: of everything random from now on; None: the game before goes on drawing.
            options: ignored.

        Returns:
            What each agent sees, and empty infos.
        """
        if seed is not None:
            self._generator.manual_seed(seed)
            self._environment = self._built()
        self.agents = list(self.possible_agents)
        self._seen = self._looked_up(self._environment.reset())
        seen = self._each(self.agents)
        self.agents = self._living()
        return seen, {name: {} for name in seen}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[
        dict[str, _Seen],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Advance the game.

        Args:
            actions: of the agents that are there, by name: numbers of actions, or vectors where
                actions lie in a box.

        Returns:
            For each agent that was there: what it sees, its reward, whether the game has ended for
            it, whether the game has been cut, and an empty info.
        """
        acting = self.agents
        result = self._environment.step(self._chosen(actions))
        self._seen = self._looked_up(result.observation)
        own = result.individual_reward
        living = set(self._living())
        over = bool(result.terminated[0])
        cut = bool(result.truncated[0])
        rewards, ended = {}, {}
        for name in acting:
            index = self.possible_agents.index(name)
            reward = result.team_reward[0] if own is None else own[0, index]
            rewards[name] = float(reward)
            ended[name] = over or name not in living
        truncated = {name: cut and not ended[name] for name in acting}
        seen = self._each(acting)
        on = not over and not cut
        self.agents = [name for name in acting if on and name in living]
        return seen, rewards, ended, truncated, {name: {} for name in acting}

    def _chosen(self, actions: Mapping[str, Any]) -> Tensor:
        """The actions of a game, with those of agents that are not there."""
        box = self._spec.box
        if box is None:
            return torch.tensor(
                [[int(actions.get(name, NO_OP)) for name in self.possible_agents]]
            )
        nothing = np.full(box.numbers, NO_OP, dtype=np.float32)
        rows = [actions.get(name, nothing) for name in self.possible_agents]
        chosen = torch.from_numpy(np.asarray(rows, dtype=np.float32))
        return box.clipped(chosen.unsqueeze(0))

    def state(self) -> np.ndarray:
        """The state of the game.

        Raises:
            NotImplementedError: the environment has none.
        """
        if self._seen is None or self._seen.state is None:
            raise NotImplementedError("this environment has no state")
        state: np.ndarray = self._seen.state[0].float().numpy()
        return state

    def render(self) -> None:
        """Nothing: ``marl render`` makes pages of runs."""

    def close(self) -> None:
        """Nothing is held."""

    def _built(self) -> Any:
        return build_environment(
            self._config, games=1, device="cpu", generator=self._generator
        )

    def _looked_up(self, observation: Observation) -> Observation:
        if self._table is not None:
            observation = look_up(observation, self._table)
        return write_out_entities(observation)

    def _living(self) -> list[str]:
        assert self._seen is not None, "the game has begun"
        alive = self._seen.alive
        if alive is None:
            return list(self.possible_agents)
        pairs = zip(self.possible_agents, alive[0].tolist(), strict=True)
        return [name for name, lives in pairs if lives]

    def _each(self, names: list[str]) -> dict[str, _Seen]:
        assert self._seen is not None, "the game has begun"
        rows = _rows_of(self._seen)[0].float().numpy()
        legal = self._seen.legal_actions()
        found: dict[str, _Seen] = {}
        for name in names:
            index = self.possible_agents.index(name)
            if legal is None:
                found[name] = rows[index].copy()
                continue
            mask = legal[0, index].to(torch.int8).numpy().copy()
            found[name] = {"observation": rows[index].copy(), "action_mask": mask}
        return found


def _rows_of(seen: Observation) -> Tensor:
    """What all agents see, as one tensor."""
    if seen.entities is None:
        assert seen.features is not None, "agents see features or entities"
        return seen.features
    if seen.entity_mask is None:
        return seen.entities
    return seen.entities * seen.entity_mask.unsqueeze(-1)


def _space_of(spec: EnvironmentSpec) -> spaces.Space[Any]:
    shape = (spec.features,) if spec.entities is None else spec.entities
    rows = _unbounded(*shape)
    if not spec.action_masks:
        return rows
    mask = spaces.MultiBinary(spec.actions)
    return spaces.Dict({"observation": rows, "action_mask": mask})


def _actions_of(spec: EnvironmentSpec) -> spaces.Space[Any]:
    if spec.box is None:
        return spaces.Discrete(spec.actions)
    low = np.asarray(spec.box.low, dtype=np.float32)
    high = np.asarray(spec.box.high, dtype=np.float32)
    return spaces.Box(low, high, dtype=np.float32)


def _unbounded(*shape: int | None) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, tuple(map(int, filter(None, shape))), np.float32)
