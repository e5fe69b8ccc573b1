"""One episode, kept whole: what was, what each agent saw, thought and did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.config.named import EnvironmentConfig, ExplorationConfig
from marl_core.config.run import RunConfig
from marl_core.evaluation.evaluate import RawPolicy
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm, Scores
from marl_core.registry import build
from marl_core.rng import generator
from marl_core.types import EnvironmentSpec, Observation, Progress, StepResult

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
    run: RunConfig,
    host: HostAlgorithm,
    exploration: ExplorationStrategy,
    progress: Progress,
    mode: Mode = "greedy",
    seed: int = 0,
    *,
    name: str = "",
    history: History = (),
) -> tuple[Environment, Episode]:
    """Play an episode and keep it.

    Equal seeds begin alike in all modes, so that a team can be compared with itself.

    Args:
        run: the run's config.
        host: the host, as it is at ``progress``.
        exploration: the exploration of the stage that ``progress`` is in.
        progress: how far the run is.
        mode: how the team acts.
        seed: which episode; all its randomness comes from this and from the run's own seed.
        name: what the run is called.
        history: the policies that the run has kept.

    Returns:
        The environment that it was played in, and the episode.
    """
    play, act = (
        generator("cpu", run.seed, "rendering", part, seed) for part in ("play", "act")
    )
    environment: Environment = build(
        "environment", run.environment, games=1, device="cpu", generator=play
    )
    watched, team = _Watched(environment), _Team(exploration, mode)
    rollout = Collector(watched, act, use_table=False).collect(host, team, progress)
    valid = rollout.valid[:, 0]

    def kept(values: Tensor) -> Tensor:
        return values[:, 0][valid].cpu()

    actions, last = kept(rollout.actions), int(valid.sum()) + 1
    alive = rollout.observations.alive
    return environment, Episode(
        name=name,
        seed=seed,
        mode=mode,
        progress=progress,
        spec=environment.spec,
        states=tuple(watched.states[:last]),
        observations=rollout.observations.map(kept),
        policies=torch.cat(team.policies)[valid],
        actions=actions,
        component=kept(rollout.component),
        reward=kept(rollout.reward),
        team_reward=kept(rollout.team_reward),
        terminated=kept(rollout.terminated),
        truncated=kept(rollout.truncated),
        alive=torch.ones_like(actions, dtype=torch.bool)
        if alive is None
        else kept(alive),
        component_names=team.component_names,
        level=None if rollout.level is None else kept(rollout.level),
        won=None if rollout.won is None else kept(rollout.won),
        history=history,
    )


@final
class _Watched(Environment):
    """An environment whose states are kept."""

    Config = EnvironmentConfig

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.states: list[dict[str, Tensor]] = []

    @property
    def spec(self) -> EnvironmentSpec:
        return self._environment.spec

    @property
    def distinct_observations(self) -> Observation | None:
        return self._environment.distinct_observations

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        observation = self._environment.reset(games)
        self._keep()
        return observation

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        result = self._environment.step(actions)
        self._keep()
        return result

    def state_dict(self) -> dict[str, Tensor]:
        return self._environment.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._environment.load_state_dict(state)

    def _keep(self) -> None:
        self.states.append(
            {
                name: value.detach().cpu().clone()
                for name, value in self.state_dict().items()
            }
        )


@final
class _Team(ExplorationStrategy):
    """A strategy, as it is or by its individual policies alone, whose individual policies are kept at every step."""

    Config = ExplorationConfig

    def __init__(self, strategy: ExplorationStrategy, mode: Mode) -> None:
        self._acting = strategy if mode == "training" else RawPolicy(strategy, mode)
        self.policies: list[Float[Tensor, "E N A"]] = []

    @property
    def accepts(self) -> frozenset[Scores]:
        return self._acting.accepts

    @property
    def redraw_every_step(self) -> bool:
        return self._acting.redraw_every_step

    @property
    def component_names(self) -> tuple[str, ...]:
        return self._acting.component_names

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        return self._acting.log_policy(scores, legal, progress)

    def joint_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> JointPolicy:
        self.policies.append(
            self._acting.log_policy(scores, legal, progress).exp().cpu()
        )
        return self._acting.joint_policy(scores, legal, progress)

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "C"]:
        return self._acting.component_weights(progress, device)
