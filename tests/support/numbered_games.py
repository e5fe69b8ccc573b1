"""Games whose state says which episode and which step it is, and a host that counts steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Rollout,
    StepResult,
)
from tests.support.broken_environments import Wrapped


class CountsSteps:
    """Remembers how many steps each game has lasted, and prefers the action of that number."""

    capabilities = HostCapabilities(scores="logits", memory=True)

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec

    def initial_memory(self, games: int) -> Memory:
        return {"step": torch.zeros(games)}

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        preferred = (memory["step"] % self.spec.actions).view(-1, 1, 1)
        scores = 5.0 * (torch.arange(self.spec.actions) == preferred).expand(
            -1, self.spec.agents, -1
        )
        return scores, {"step": memory["step"] + 1}

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        return iter(())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return []

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Numbered(Wrapped):
    """An environment whose state is the number of the episode that a game is in, and its age."""

    def __init__(self, **build: Any) -> None:
        super().__init__(**build)
        games = build["games"]
        self.begun = 0
        self.stepped = 0
        self.number = torch.zeros(games)
        self.age = torch.zeros(games)

    def reset(self, games: Tensor | None = None) -> Observation:
        seen = self.inner.reset(games)
        again = (
            torch.ones(len(self.number), dtype=torch.bool) if games is None else games
        )
        self.number = torch.where(again, self.begun + again.cumsum(0) - 1, self.number)
        self.begun += int(again.sum())
        self.age = self.age.masked_fill(again, 0)
        return self._with_state(seen)

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        self.stepped += 1
        self.age = self.age + 1
        return replace(result, observation=self._with_state(result.observation))

    def _with_state(self, seen: Observation) -> Observation:
        return replace(seen, state=torch.stack([self.number, self.age], -1))
