"""One episode, kept whole: what was, what each agent saw and did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import EnvironmentSpec, Observation, Progress

#: How the team acts: each agent greedily, each by a draw of its own, or as in training.
Mode = Literal["greedy", "sampled", "training"]

#: All that changes in an environment of one game, as its ``state_dict`` gives it.
State = Mapping[str, Tensor]

#: What ``training.record_policies`` has kept: numbers of episodes trained, and the policies of all
#: agents in each distinct observation at that time.
History = tuple[tuple[int, Float[np.ndarray, "M N A"]], ...]


@dataclass(frozen=True)
class Episode:
    """An episode of one game, T steps long.

    No tensor has an axis for games, except those in ``states``, where it has length 1.

    Args:
        name: what the run is called.
        seed: which episode of the run.
        mode: how the team acts.
        progress: how far the run is.
        spec: what the environment gives.
        states: ``states[t]`` was before step t, and ``states[T]`` after the last step. They are
            empty where the environment cannot save its state.
        observations: what the agents saw before each step, leading axis T.
        policies: the agents' individual policies, however the team was coupled.
        actions: what each agent did.
        component: which component of the coupling the team had drawn.
        reward: of each agent.
        team_reward: the mean over agents.
        terminated: whether the game ended by its own rules.
        truncated: whether the game was cut off.
        alive: which agents were still in the game before each step.
        component_names: what the components are called; empty where there is only one.
        level: which of ``spec.levels`` each step belonged to, where there are levels.
        won: whether the team had won, where games can be won.
        history: the policies that the run has kept.
    """

    name: str
    seed: int
    mode: Mode
    progress: Progress
    spec: EnvironmentSpec
    states: tuple[State, ...]
    observations: Observation
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
        """The length of the episode, T."""
        return len(self.actions)

    @property
    def title(self) -> str:
        """Which run, which episode of it, and how the team acts in it."""
        acting = "as in training" if self.mode == "training" else self.mode
        return f"{self.name} · {acting} · seed {self.seed}"
