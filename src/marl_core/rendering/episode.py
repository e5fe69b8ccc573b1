"""One episode, kept whole: what was, what each agent saw, thought and did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import SavesState
from marl_core.capabilities import Scores
from marl_core.collection.collector import Collector, observation_table
from marl_core.evaluation.evaluate import uncoupled
from marl_core.exploration.coupled import CoupledExploration
from marl_core.protocols import Environment, ExplorationStrategy, IndividualPolicy
from marl_core.registry import build_environment
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout, StepResult

#: How the team acts: everybody greedily, everybody by an own draw, or as the stage of training has it.
Mode = Literal["greedy", "sampled", "training"]

#: All that changes in an environment of one game, as its ``state_dict`` gives it.
State = Mapping[str, Tensor]

#: What ``training.record_policies`` has kept: episodes trained, and everybody's policy in each distinct observation.
History = tuple[tuple[int, Float[np.ndarray, "M N A"]], ...]


@dataclass(frozen=True)
class Episode:
    """An episode of one game, T steps long. No tensor has an axis for games, but those in ``states``, which have one.

    ``states[t]`` was before step t and ``states[T]`` after the last. ``policies`` are the agents' individual ones,
    however the team was coupled; ``component`` says which component of the joint policy the team had drawn, and
    ``component_names`` what the components are called, one name for each (none where the team has no coupling).
    """

    name: str
    seed: int
    mode: Mode
    progress: Progress
    spec: EnvironmentSpec
    states: tuple[State, ...]
    observations: Observation  # leading axis T
    policies: Float[Tensor, "T N A"]
    actions: Int[Tensor, "T N"]
    component: Int[Tensor, "T"]
    reward: Float[Tensor, "T N"]
    team_reward: Float[Tensor, "T"]
    terminated: Bool[Tensor, "T"]
    truncated: Bool[Tensor, "T"]
    alive: Bool[Tensor, "T N"]
    component_names: tuple[str, ...] = ()
    level: Int[Tensor, "T"] | None = None
    won: Bool[Tensor, "T"] | None = None
    history: History = field(default=(), repr=False)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.actions)

    @property
    def title(self) -> str:
        """Which run, which episode of it, and how the team acts in it."""
        acting = "as in training" if self.mode == "training" else self.mode
        return f"{self.name} · {acting} · seed {self.seed}"


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

    Equal seeds begin alike in all modes, so that a team can be compared with itself.

    Args:
        state: the run, as it is now.
        mode: how the team acts.
        seed: which episode; all its randomness comes from this and from the run's own seed.
        name: what the run is called.
        history: the policies that the run has kept.

    Returns:
        The environment that it was played in, and the episode.
    """
    config = state.config
    play, act = (
        generator("cpu", config.seed, "rendering", part, seed)
        for part in ("play", "act")
    )
    environment = build_environment(
        config.environment, games=1, device="cpu", generator=play
    )
    watched = _Watched(environment)
    team = _acting(state.exploration, mode)
    policy = _KeptPolicy(team.individual)
    kept_team = CoupledExploration(policy, team.coupling)
    collector = Collector(watched, act, use_table=False)
    rollout = collector.collect(state.host, kept_team, state.progress)
    valid = rollout.valid[:, 0]
    played = _Played(rollout, valid, watched.states, torch.cat(policy.kept)[valid])
    return environment, Episode(
        name=name,
        seed=seed,
        mode=mode,
        progress=state.progress,
        spec=environment.spec,
        component_names=team.coupling.component_names,
        history=history,
        **played.fields(),
    )


def _acting(exploration: ExplorationStrategy, mode: Mode) -> ExplorationStrategy:
    return (
        exploration if mode == "training" else uncoupled(exploration.individual, mode)
    )


@final
@dataclass(frozen=True)
class _Played:
    """A rollout of one game, of which the steps up to the game's end are kept."""

    rollout: Rollout
    valid: Bool[Tensor, "T"]
    states: list[dict[str, Tensor]]
    policies: Float[Tensor, "T N A"]

    def fields(self) -> dict[str, Any]:
        """What an episode says of it."""
        rollout = self.rollout
        actions = self._of_the_game(rollout.actions)
        alive = rollout.observations.alive
        everybody = torch.ones_like(actions, dtype=torch.bool)
        return {
            "states": tuple(self.states[: int(self.valid.sum()) + 1]),
            "observations": rollout.observations.map(self._of_the_game),
            "policies": self.policies,
            "actions": actions,
            "component": self._of_the_game(rollout.component),
            "reward": self._of_the_game(rollout.reward),
            "team_reward": self._of_the_game(rollout.team_reward),
            "terminated": self._of_the_game(rollout.terminated),
            "truncated": self._of_the_game(rollout.truncated),
            "alive": everybody if alive is None else self._of_the_game(alive),
            "level": self._if_there(rollout.level),
            "won": self._if_there(rollout.won),
        }

    def _of_the_game(self, values: Tensor) -> Tensor:
        return values[:, 0][self.valid].cpu()

    def _if_there(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else self._of_the_game(values)


@final
class _Watched:
    """An environment whose states are kept; of one that cannot save its state they are empty."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.states: list[dict[str, Tensor]] = []

    @property
    def spec(self) -> EnvironmentSpec:
        return self._environment.spec

    @property
    def distinct_observations(self) -> Observation | None:
        return observation_table(self._environment)

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        observation = self._environment.reset(games)
        self._keep()
        return observation

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        result = self._environment.step(actions)
        self._keep()
        return result

    def _keep(self) -> None:
        state: dict[str, Tensor] = {}
        if isinstance(self._environment, SavesState):
            state = self._environment.state_dict()
        kept = {name: value.detach().cpu().clone() for name, value in state.items()}
        self.states.append(kept)


@final
class _KeptPolicy:
    """An individual policy that keeps what it says at every step."""

    def __init__(self, policy: IndividualPolicy) -> None:
        self._policy = policy
        self.kept: list[Float[Tensor, "E N A"]] = []

    @property
    def accepts(self) -> frozenset[Scores]:
        return self._policy.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        logarithm = self._policy.log_policy(scores, legal, progress)
        self.kept.append(logarithm.exp().cpu())
        return logarithm

    def entropy_coefficient(self, progress: Progress) -> float:
        return self._policy.entropy_coefficient(progress)
