"""A part of each kind that fits by its members alone: none inherits anything of this project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from marl_core.capabilities import CouplingNeeds, Holds, HostCapabilities, Scores
from marl_core.joint_policy import JointPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Moment,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
    StepResult,
)


class LanternsConfig(BaseModel):
    agents: int = 3
    steps: int = 5


class Lanterns:
    """Each game draws a colour; an agent that shows it earns 1/N. Any step may be the last."""

    Config = LanternsConfig

    def __init__(
        self,
        config: LanternsConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec = EnvironmentSpec(
            agents=config.agents,
            actions=2,
            max_steps=config.steps,
            features=2 + config.agents,
        )
        self.device = device
        self.generator = generator
        self.colour = torch.zeros(games, dtype=torch.int64, device=device)
        self.age = torch.zeros(games, dtype=torch.int64, device=device)

    def uniform(self) -> Tensor:
        shape = self.colour.shape
        return torch.rand(shape, generator=self.generator, device=self.device)

    def reset(self, games: Tensor | None = None) -> Observation:
        which = torch.ones_like(self.colour, dtype=torch.bool)
        if games is not None:
            which = games
        drawn = (self.uniform() < 0.5).long()
        self.colour = torch.where(which, drawn, self.colour)
        self.age = self.age.masked_fill(which, 0)
        return self.observe()

    def step(self, actions: Tensor) -> StepResult:
        self.age = self.age + 1
        reward = (actions == self.colour.unsqueeze(-1)).float().mean(-1)
        terminated = self.uniform() < 0.3
        truncated = ~terminated & (self.age >= self.spec.max_steps)
        return StepResult(self.observe(), reward, terminated, truncated)

    def observe(self) -> Observation:
        agents = self.spec.agents
        colour = nn.functional.one_hot(self.colour, 2).float()
        seen = colour.unsqueeze(1).expand(-1, agents, -1)
        identity = torch.eye(agents, device=self.device)
        return Observation(torch.cat([seen, identity.expand(len(seen), -1, -1)], -1))


class Linear:
    """REINFORCE on a linear policy; no ``nn.Module``, and it has no settings."""

    capabilities = HostCapabilities(scores="logits")

    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        assert spec.features is not None
        drawn = torch.randn(spec.features, spec.actions, generator=generator)
        self.weight = nn.Parameter(0.1 * drawn)

    def initial_memory(self, games: int) -> Mapping[str, Tensor]:
        return {}

    def scores(self, observation: Observation, memory: Any) -> tuple[Tensor, Any]:
        assert observation.features is not None
        return observation.features @ self.weight, memory

    def losses(self, rollout: Rollout, policy: Any, context: Any) -> Iterator[Loss]:
        seen = rollout.observations
        scores, _ = self.scores(seen, {})
        log_policy = policy.log_policy(scores, seen.legal_actions(), rollout.progress)
        chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
        advantage = (rollout.reward - 0.5) * rollout.acting
        entropy = -(log_policy.exp() * log_policy).sum(-1) * rollout.acting
        bonus = policy.entropy_coefficient(rollout.progress)
        yield Loss(-(chosen * advantage + bonus * entropy).mean())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([self.weight], 0.05)]

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight.detach()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            self.weight.copy_(state["weight"])


class Softmax:
    """Each agent draws from a softmax; it has no settings."""

    accepts: frozenset[Scores] = frozenset({"logits"})

    def __init__(self, config: Any, spec: EnvironmentSpec) -> None:
        self.spec = spec

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        if legal is not None:
            scores = scores.masked_fill(~legal, -1e9)
        return scores.float().log_softmax(-1)

    def entropy_coefficient(self, progress: Progress) -> float:
        return 0.0


class HalvesConfig(BaseModel):
    share: float = 0.5


class Halves:
    """The team draws into which part of [0, 1) all of its agents' quantiles fall."""

    Config = HalvesConfig
    component_names = ("lower", "upper")
    holds: Holds = "episode"
    needs = CouplingNeeds()

    def __init__(self, config: HalvesConfig, spec: EnvironmentSpec) -> None:
        self.share = config.share

    def weights(self, moment: Moment) -> Tensor:
        return torch.tensor([self.share, 1 - self.share], device=moment.device)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointPolicy:
        lower = policies.cumsum(-1) - policies
        in_lower = torch.minimum(policies, (weights[0] - lower).clamp(min=0))
        halves = torch.stack([in_lower, policies - in_lower])
        halves = halves / halves.sum(-1, keepdim=True)
        return JointPolicy(policies, halves, weights)


class Both:
    """A whole strategy in one class."""

    def __init__(self, config: Any, spec: EnvironmentSpec) -> None:
        self.individual = Softmax(config, spec)
        self.coupling = Halves(HalvesConfig(share=0.25), spec)
