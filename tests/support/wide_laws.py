"""Couplings at the edges of what a law may be, and a host for one of them.

A latent variable that a team shares, with scores of its own; weights that depend on the state;
weights that are learnt; agents that act one after the other. Each keeps Eq. 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from marl_core.base_config import HostConfig
from marl_core.capabilities import CouplingNeeds, Holds, HostCapabilities
from marl_core.config.named import CouplingConfig
from marl_core.configured import Configured
from marl_core.hosts.base import HostModule
from marl_core.joint_policy import JointLaw, JointPolicy
from marl_core.learning import LearningContext
from marl_core.observation_table import look_up, without_table
from marl_core.protocols import IndividualPolicy
from marl_core.sequential_policy import SequentialPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Moment,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)

# A latent variable


class LatentHostConfig(HostConfig):
    hidden: int = 8
    learning_rate: float = 1e-2

    @property
    def capabilities(self) -> HostCapabilities:
        return HostCapabilities(scores="logits", component_scores=True)


class LatentHost(HostModule):
    """REINFORCE; each value of the team's latent variable adds an embedding to what the agents see.

    In evaluation there is no latent variable: the embedding is the mean of all.
    """

    Config = LatentHostConfig

    def __init__(
        self,
        config: LatentHostConfig,
        spec: EnvironmentSpec,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        assert spec.features is not None
        self.config = config
        self.generator = generator
        self.body = self._drawn(spec.features, config.hidden)
        self.head = self._drawn(config.hidden, spec.actions)
        self.embedding = nn.Parameter(torch.zeros(1, config.hidden))
        self.embedding.requires_grad_(False)

    @property
    def capabilities(self) -> HostCapabilities:
        return self.config.capabilities

    def _drawn(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(0.3 * torch.randn(shape, generator=self.generator))

    def score_components(self, count: int) -> None:
        self.embedding = self._drawn(count, self.config.hidden)

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        return self._scores(observation, self.embedding.mean(0)), memory

    def component_scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Tensor, Memory]:
        each = [self._scores(observation, latent) for latent in self.embedding]
        return torch.stack(each), memory

    def _scores(self, observation: Observation, latent: Tensor) -> Tensor:
        assert observation.features is not None
        hidden = (observation.features @ self.body + latent).tanh()
        return hidden @ self.head

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        written = without_table(rollout)
        seen = written.observations
        latent = self.embedding[rollout.component].unsqueeze(-2)
        scores = self._scores(seen, latent)
        log_policy = policy.log_policy(scores, seen.legal_actions(), rollout.progress)
        chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
        advantage = advantages(rollout, context).unsqueeze(-1)
        bonus = policy.entropy_coefficient(rollout.progress)
        entropy = -(log_policy.exp() * log_policy).sum(-1)
        gained = chosen * advantage + bonus * entropy
        yield Loss(-(gained * rollout.acting).mean())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        trained = [p for p in self.parameters() if p.requires_grad]
        return [ParameterGroup(trained, self.config.learning_rate)]


def advantages(rollout: Rollout, context: LearningContext) -> Tensor:
    """How much better each game's return is than the mean, ``[E]``."""
    returns = (rollout.team_reward * rollout.valid).sum(0)
    return returns - context.ranks.mean(returns.mean())


class SharedLatentConfig(CouplingConfig):
    values: int = Field(default=3, gt=1)

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds(component_scores=self.values)


class SharedLatent(Configured[SharedLatentConfig]):
    """The team draws a latent variable; for each value the host has scores of its own."""

    @property
    def component_names(self) -> tuple[str, ...]:
        return tuple(f"latent {value}" for value in range(self.config.values))

    @property
    def holds(self) -> Holds:
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        return self.config.needs

    def weights(self, moment: Moment) -> Tensor:
        falling = torch.arange(self.config.values, 0.0, -1, device=moment.device)
        return falling / falling.sum()

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        individual = torch.tensordot(weights, policies, dims=1)
        return JointPolicy(individual, policies, weights)


# Weights that depend on the state, and weights that are learnt


def quantile_components(policies: Tensor, weights: Tensor) -> Tensor:
    """Components in which the quantiles of all agents fall into one interval of [0, 1).

    The interval of a component is as long as its weight. Each agent draws by inversion; so over all
    components its frequencies are those of its own policy, whatever the weights are.

    Args:
        policies: ``[E, N, A]``.
        weights: ``[E, C]``.

    Returns:
        ``[C, E, N, A]``.
    """
    upper = policies.cumsum(-1)
    zero = torch.zeros_like(weights[:, :1])
    edges = torch.cat([zero, weights.cumsum(-1)], -1).movedim(-1, 0)
    below = (edges[..., None, None] - (upper - policies)).clamp(min=0)
    overlap = torch.minimum(policies, below).diff(dim=0)
    total = overlap.sum(-1, keepdim=True)
    return torch.where(total > 0, overlap / total, policies)


class WatchfulConfig(CouplingConfig):
    holds: Holds = "step"


class Watchful(Configured[WatchfulConfig]):
    """How likely a component is depends on what the first agent sees."""

    @property
    def component_names(self) -> tuple[str, ...]:
        return "low", "high"

    @property
    def holds(self) -> Holds:
        return self.config.holds

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds(whole_game=True)

    def weights(self, moment: Moment) -> Tensor:
        low = (1 + first_agent(moment)[:, 0].tanh()) / 4 + 0.2
        return torch.stack([low, 1 - low], -1)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return JointPolicy(policies, quantile_components(policies, weights), weights)


def first_agent(moment: Moment) -> Tensor:
    """What the first agent of each game sees, ``[E, O]``."""
    assert moment.observation is not None
    features = moment.observation.features
    assert features is not None
    return features[:, 0]


class LearntConfig(CouplingConfig):
    components: int = 3
    learning_rate: float = 0.05


class Learnt(nn.Module):
    """The weights are a softmax of what the first agent sees at the start, learnt by REINFORCE."""

    Config = LearntConfig

    def __init__(self, config: LearntConfig, spec: EnvironmentSpec) -> None:
        super().__init__()
        assert spec.features is not None
        self.config = config
        self.slope = nn.Parameter(torch.zeros(spec.features, config.components))
        self.bias = nn.Parameter(torch.zeros(config.components))

    @property
    def component_names(self) -> tuple[str, ...]:
        return tuple(f"third {index}" for index in range(self.config.components))

    @property
    def holds(self) -> Holds:
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds(whole_game=True)

    def weights(self, moment: Moment) -> Tensor:
        return (first_agent(moment) @ self.slope + self.bias).softmax(-1)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return JointPolicy(policies, quantile_components(policies, weights), weights)

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup(list(self.parameters()), self.config.learning_rate)]

    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        weights = self.weights(beginning(rollout))
        drawn = rollout.component[0].unsqueeze(-1)
        chosen = weights.log().gather(-1, drawn).squeeze(-1)
        loss = -(chosen * advantages(rollout, context)).mean()
        yield Loss(loss, {"coupling_loss": loss.detach()})


def beginning(rollout: Rollout) -> Moment:
    """The moment at which the teams of a rollout drew their components."""
    first = rollout.observations.map(lambda value: value[0])
    if rollout.table is not None:
        first = look_up(first, rollout.table)
    return Moment(rollout.progress, rollout.actions.device, first)


# Agents that act one after the other


class QueueConfig(CouplingConfig):
    share: float = Field(default=0.6, ge=0, le=1)


class Queue(Configured[QueueConfig]):
    """Some teams act independently, in others each agent knows what the one before it does.

    It then draws from the part of [0, 1) into which the quantile of that agent's action falls. By
    induction, the marginal of each agent is its individual policy.
    """

    @property
    def component_names(self) -> tuple[str, ...]:
        return "independent", "in a queue"

    @property
    def holds(self) -> Holds:
        return "episode"

    @property
    def needs(self) -> CouplingNeeds:
        return CouplingNeeds(whole_game=True)

    def weights(self, moment: Moment) -> Tensor:
        share = self.config.share
        return torch.tensor([1 - share, share], device=moment.device)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        return SequentialPolicy(policies, weights, QueueLaw(policies))


class QueueLaw:
    """An agent's law given what the agent before it does.

    Args:
        policies: individual policies, ``[E, N, A]``.
    """

    def __init__(self, policies: Tensor) -> None:
        self.policies = policies

    def __call__(self, agent: int, actions: Tensor, component: Tensor) -> Tensor:
        own = self.policies[:, agent]
        if agent == 0:
            return own
        before = actions[:, -1:]
        overlap = self.overlap(agent).gather(
            1, before.unsqueeze(-1).expand(-1, -1, own.shape[-1])
        )
        overlap = overlap.squeeze(1)
        total = overlap.sum(-1, keepdim=True)
        following = torch.where(total > 0, overlap / total, own)
        return torch.where(component.unsqueeze(-1) == 1, following, own)

    def overlap(self, agent: int) -> Tensor:
        """How long the intervals of two actions overlap, ``[E, A of the one before, A]``."""
        intervals = []
        for which in (agent - 1, agent):
            policy = self.policies[:, which]
            upper = policy.cumsum(-1)
            intervals.append((upper - policy, upper))
        (low, high), (own_low, own_high) = intervals
        top = torch.minimum(high.unsqueeze(-1), own_high.unsqueeze(-2))
        bottom = torch.maximum(low.unsqueeze(-1), own_low.unsqueeze(-2))
        return (top - bottom).clamp(min=0)
