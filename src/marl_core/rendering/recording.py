"""Playing an episode and keeping it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.construction import build_environment
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import uncoupled
from marl_core.exploration.coupled import CoupledExploration
from marl_core.protocols import Environment, ExplorationStrategy
from marl_core.rendering.episode import Episode, History, Mode, State
from marl_core.rendering.watching import KeptPolicy, WatchedEnvironment
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import Rollout


@torch.no_grad()
def record(
    state: RunState,
    mode: Mode = "greedy",
    seed: int = 0,
    *,
    name: str = "",
    history: History = (),
) -> tuple[Environment, Episode]:
    """Play an episode and keep it.

    Episodes of the same seed begin alike in all modes, so that a team can be compared with itself.

    Args:
        state: the run, as it is now.
        mode: how the team acts.
        seed: which episode; all its randomness comes from this and from the run's own seed.
        name: what the run is called.
        history: the policies that the run has kept.

    Returns:
        The environment that it was played in, and the episode.

    Raises:
        UserError: actions are numbers in a box.
    """
    if state.spec.box is not None:
        message = "episodes with numbers in a box as actions cannot be shown yet"
        raise UserError(f"{message}: a page shows how probable each action was")
    draws = generator("cpu", state.config.seed, "rendering", "play", seed)
    environment = build_environment(
        state.config.environment,
        games=1,
        device="cpu",
        generator=draws,
    )
    team = _team(state.exploration, mode)
    game = _play(state, environment, team, seed)
    rollout = game.rollout
    episode = Episode(
        name=name,
        seed=seed,
        mode=mode,
        progress=state.progress,
        spec=environment.spec,
        states=game.states,
        observations=rollout.observations.map(game.steps_of),
        policies=game.policies,
        actions=game.steps_of(rollout.actions),
        component=game.steps_of(rollout.component),
        reward=game.steps_of(rollout.reward),
        team_reward=game.steps_of(rollout.team_reward),
        terminated=game.steps_of(rollout.terminated),
        truncated=game.steps_of(rollout.truncated),
        alive=game.alive,
        component_names=team.coupling.component_names,
        level=game.steps_if_any(rollout.level),
        won=game.steps_if_any(rollout.won),
        history=history,
    )
    return environment, episode


def _team(
    exploration: ExplorationStrategy,
    mode: Mode,
) -> ExplorationStrategy:
    if mode == "training":
        return exploration
    return uncoupled(exploration.individual, mode)


@dataclass(frozen=True)
class _Game:
    """A rollout of one game, of which the steps up to the game's end are kept."""

    rollout: Rollout
    all_states: tuple[State, ...]
    all_policies: Float[Tensor, "T N A"]

    @property
    def valid(self) -> Bool[Tensor, "T"]:
        return self.rollout.valid[:, 0]

    @property
    def states(self) -> tuple[State, ...]:
        steps = int(self.valid.sum())
        return self.all_states[: steps + 1]

    @property
    def policies(self) -> Float[Tensor, "T N A"]:
        return self.all_policies[self.valid]

    @property
    def alive(self) -> Bool[Tensor, "T N"]:
        alive = self.rollout.observations.alive
        if alive is None:
            actions = self.steps_of(self.rollout.actions)
            return torch.ones_like(actions, dtype=torch.bool)
        return self.steps_of(alive)

    def steps_of(self, values: Tensor) -> Tensor:
        return values[:, 0][self.valid].cpu()

    def steps_if_any(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else self.steps_of(values)


def _play(
    state: RunState,
    environment: Environment,
    team: ExplorationStrategy,
    seed: int,
) -> _Game:
    draws = generator("cpu", state.config.seed, "rendering", "act", seed)
    watched = WatchedEnvironment(environment)
    policy = KeptPolicy(team.individual)
    watched_team = CoupledExploration(policy, team.coupling)
    collector = Collector(watched, draws, use_table=False)
    rollout = collector.collect(
        state.host,
        watched_team,
        state.progress,
    )
    return _Game(
        rollout,
        tuple(watched.states),
        torch.cat(policy.kept),
    )
