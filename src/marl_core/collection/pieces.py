"""Collecting pieces of episodes: a fixed number of steps of every game, which goes on later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Bool
from torch import Tensor

from marl_core.collection.draws import Drawn
from marl_core.collection.episodes import games_of
from marl_core.collection.stepping import Stepping, seen, without_the_dead
from marl_core.collection.team import Team
from marl_core.collection.window import GamesBetween, Window
from marl_core.observation_table import table_of
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import Observation, Progress, Rollout


@final
class PieceCollector:
    """Plays an environment's games for a number of steps at a time.

    A game that ends is started anew at once. One that is on at the end goes on in the next rollout,
    with what its team had drawn. Networks are evaluated on what every agent sees, and not on a
    table of distinct observations: teams' laws are of different times.

    Args:
        environment: whose games are played, all at once.
        generator: for the teams' components and actions.
        steps: T, how many steps of every game are in a rollout.
    """

    def __init__(
        self, environment: Environment, generator: torch.Generator, steps: int
    ) -> None:
        self._environment = environment
        self._stepping = Stepping(environment, generator.device)
        self._table = table_of(environment)
        self._generator = generator
        self._steps = steps
        # Known without asking the device, as the games' age is not.
        self._played = 0
        self._games: GamesBetween | None = None

    @torch.no_grad()
    def collect(
        self, host: HostAlgorithm, exploration: ExplorationStrategy, progress: Progress
    ) -> Rollout:
        """Play on under the strategy's law.

        Args:
            host: scores actions.
            exploration: how the team explores.
            progress: how far the run is.

        Returns:
            All pieces of episodes, in the order in which they began.
        """
        games = self._games or self._fresh(host)
        team = Team(
            host,
            exploration,
            progress,
            None,
            games.observation,
            self._generator,
            games.drawn,
        )
        window = Window(games)
        for step in range(self._steps):
            if step:
                team.draws.begin_step(games.observation)
            games = self._step(host, team, games, window)
        cut = games.age > 0
        if bool(cut.any()):
            window.end(cut, games.observation, games.memory)
        self._games = games._replace(drawn=team.draws.drawn)
        return window.rollout(cut, progress)

    def _step(
        self,
        host: HostAlgorithm,
        team: Team,
        games: GamesBetween,
        window: Window,
    ) -> GamesBetween:
        """One step of all games, and the first observation of those that begin anew."""
        drawn, memory = team.act(games.observation, games.memory)
        actions = without_the_dead(drawn, games.observation.alive)
        result = self._stepping.step(actions)
        window.add(games, actions, team.draws.component, result)
        observation = self._seen(result.observation, host)
        after = games.after(memory, result, observation)
        spec = self._environment.spec
        ended = result.ended | (after.age >= spec.max_steps)
        self._played += 1
        if not self._any(ended):
            return after
        window.end(ended, observation, memory)
        observation = self._seen(self._stepping.reset(ended), host)
        team.draws.begin_again(ended, observation)
        if len(window.steps) < self._steps:
            window.begin(ended)
        return after.begun_again(
            ended,
            observation,
            host.initial_memory(len(ended)),
        )

    def _any(self, ended: Bool[Tensor, "E"]) -> bool:
        """Whether a game ended.

        Asking makes the CPU wait for the device: not where the answer is known.
        """
        spec = self._environment.spec
        if spec.fixed_length:
            return self._played % spec.max_steps == 0
        return bool(ended.any())

    def _fresh(self, host: HostAlgorithm) -> GamesBetween:
        """All games at their beginning."""
        self._played = 0
        observation = self._seen(self._stepping.reset(), host)
        count = games_of(observation)
        device = self._generator.device
        return GamesBetween(
            observation,
            host.initial_memory(count),
            None,
            torch.zeros(count, dtype=torch.int64, device=device),
            torch.zeros(count, device=device),
        )

    def _seen(self, observation: Observation, host: HostAlgorithm) -> Observation:
        return seen(
            observation,
            table=self._table,
            entity_rows=host.capabilities.entity_rows,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Where the games are, but for the environment's own state; empty before the first step."""
        return {} if self._games is None else _as_tensors(self._games)

    def fresh_state(self, host: HostAlgorithm, components: int) -> dict[str, Tensor]:
        """What ``state_dict`` gives of games at their beginning: says which names and shapes a
        state has.

        The environment begins its games anew on the way.

        Args:
            host: whose memory is in it.
            components: how many the team's law has.
        """
        fresh = self._fresh(host)
        weights = torch.zeros(len(fresh.age), components)
        return _as_tensors(fresh._replace(drawn=Drawn(fresh.age, weights)))

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave. The environment's own is loaded apart from it.
        """
        self._games = None
        if not state:
            return
        device = self._generator.device
        moved = {name: value.to(device) for name, value in state.items()}
        self._games = _from_tensors(moved)
        self._played = int(self._games.age[0])


def _as_tensors(games: GamesBetween) -> dict[str, Tensor]:
    assert games.drawn is not None, "teams draw before the first step"
    parts = {
        "observation": games.observation.tensors(),
        "memory": games.memory,
        "drawn": games.drawn._asdict(),
    }
    found = {"age": games.age, "earned": games.earned}
    for part, values in parts.items():
        for name, value in values.items():
            # A clone: torch.save writes a view's whole storage.
            found[f"{part}.{name}"] = value.clone()
    return found


def _from_tensors(state: Mapping[str, Tensor]) -> GamesBetween:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        part, _, rest = name.rpartition(".")
        parts.setdefault(part, {})[rest] = value
    return GamesBetween(
        Observation(**parts["observation"]),
        parts.get("memory", {}),
        Drawn(**parts["drawn"]),
        **parts[""],
    )
