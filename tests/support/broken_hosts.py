"""Host algorithms that each break one promise."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.base_config import HostConfig
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext
from marl_core.observation_table import DistinctObservations
from marl_core.protocols import IndividualPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Rollout,
)
from tests.support.wide_laws import LatentHost


class Sound(HostModule):
    """REINFORCE with a memory: a moving average of what was seen; each mutant changes one thing."""

    Config = HostConfig

    @property
    def capabilities(self) -> HostCapabilities:
        return HostCapabilities(scores="logits", memory=True, own_heads=True)

    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        assert spec.features is not None
        self.shape = (spec.agents, spec.features)
        self.body = nn.Parameter(
            0.3 * torch.randn(2 * spec.features, 16, generator=generator)
        )
        self.heads = nn.Parameter(
            0.3 * torch.randn(16, spec.actions, generator=generator)
        )

    def initial_memory(self, games: int) -> Memory:
        return {"mean": torch.zeros(games, *self.shape)}

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        assert observation.features is not None
        joined = torch.cat([observation.features, memory["mean"]], -1)
        scores = self.evaluate(joined)
        return scores, {"mean": 0.5 * memory["mean"] + 0.5 * observation.features}

    def evaluate(self, joined: Tensor) -> Tensor:
        hidden = (joined @ self.body).tanh()
        heads = self.heads.expand(self.shape[0], *self.heads.shape[-2:])
        return torch.einsum("...nh,nha->...na", hidden, heads)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        assert rollout.memory is not None
        scores, _ = self.scores(rollout.observations, rollout.memory)
        log_policy = policy.log_policy(
            scores, rollout.observations.legal_actions(), rollout.progress
        )
        chosen = log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
        to_go = (
            (rollout.team_reward * rollout.valid)
            .flip(0)
            .cumsum(0)
            .flip(0)
            .unsqueeze(-1)
        )
        gained = chosen * to_go + bonus_of(policy, log_policy, rollout)
        yield Loss(-(gained * rollout.acting).mean())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([p for p in self.parameters() if p.requires_grad], 1e-3)]

    def give_each_agent_its_own_head(self) -> None:
        self.body.requires_grad_(False)
        self.heads = nn.Parameter(
            self.heads.detach().expand(self.shape[0], -1, -1).clone()
        )


def entropy_of(log_policy: Tensor) -> Tensor:
    return -(log_policy.exp() * log_policy).sum(-1)


def bonus_of(policy: IndividualPolicy, log_policy: Tensor, rollout: Rollout) -> Tensor:
    """The entropy of each sample's policy, by its weight."""
    return policy.entropy_coefficient(rollout.progress) * entropy_of(log_policy)


class GlobalInitialisation(Sound):
    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, generator)
        nn.init.normal_(self.heads, std=0.3)


class Dropout(Sound):
    """Draws from the global generator whenever it scores."""

    def evaluate(self, joined: Tensor) -> Tensor:
        return nn.functional.dropout(super().evaluate(joined), 0.1)


class FixedWeights(Sound):
    """Ignores the generator that it is given."""

    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, torch.Generator().manual_seed(0))


class NormalisesOverTheBatch(Sound):
    def evaluate(self, joined: Tensor) -> Tensor:
        return super().evaluate(joined - joined.mean(0, keepdim=True))


class SharedMemory(Sound):
    """Memory of one game leaks into the next."""

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        scores, following = super().scores(observation, memory)
        return scores, {"mean": following["mean"].roll(1, 0)}


class UnreachableParameter(Sound):
    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__(config, spec, generator)
        self.unused = nn.Parameter(torch.zeros(3))


class LeavesOutAGroup(Sound):
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([self.heads], 1e-3)]


class TwiceInGroups(Sound):
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [*super().parameter_groups(), ParameterGroup([self.heads], 1e-3)]


class NoLoss(Sound):
    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        return iter(())


class InfiniteLoss(Sound):
    """Divides by a deviation that can be 0."""

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        for loss in super().losses(rollout, policy, context):
            yield replace(
                loss,
                total=loss.total / loss.total.detach().sub(loss.total.detach()).abs(),
            )


class VectorLoss(Sound):
    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        for loss in super().losses(rollout, policy, context):
            broken = copy.copy(loss)
            object.__setattr__(broken, "total", loss.total.unsqueeze(0))
            yield broken


class LearnsFromPadding(Sound):
    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        return super().losses(
            replace(rollout, valid=torch.ones_like(rollout.valid)), policy, context
        )


class HiddenScale(Sound):
    """A running scale that is no buffer: it changes by looking and is not saved."""

    scale = 1.0

    def evaluate(self, joined: Tensor) -> Tensor:
        self.scale *= 0.99
        return super().evaluate(joined) * self.scale


class LearnsOutsideParameters(Sound):
    """What it learns is not in its state."""

    shift: Tensor | float = 0.0

    def evaluate(self, joined: Tensor) -> Tensor:
        return super().evaluate(joined) + self.shift

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        self.shift = rollout.team_reward.mean() * torch.arange(self.heads.shape[-1])
        return super().losses(rollout, policy, context)


class NewHeads(Sound):
    def give_each_agent_its_own_head(self) -> None:
        super().give_each_agent_its_own_head()
        nn.init.zeros_(self.heads)


class KeepsItsBody(Sound):
    def give_each_agent_its_own_head(self) -> None:
        super().give_each_agent_its_own_head()
        self.body.requires_grad_(True)


class SharesTheHead(Sound):
    def give_each_agent_its_own_head(self) -> None:
        self.body.requires_grad_(False)


class ClaimsToShare(Sound):
    @property
    def capabilities(self) -> HostCapabilities:
        return replace(super().capabilities, head_groups=True)


class IgnoresGroups(ClaimsToShare):
    def share_heads(self, groups: Sequence[int]) -> None:
        pass


class SharesUnsaid(Sound):
    """Shares heads by groups and does not say so."""

    def share_heads(self, groups: Sequence[int]) -> None:
        first = torch.tensor([groups.index(group) for group in groups])
        self.heads.data.copy_(self.heads.data[first])


class ForgetsItsMemory(Sound):
    """Says that it remembers, but has nothing to remember by."""

    def initial_memory(self, games: int) -> Memory:
        return {}


class Memoryless(Sound):
    """A sound host without memory: what the mutant of the table path changes."""

    @property
    def capabilities(self) -> HostCapabilities:
        return HostCapabilities(scores="logits", own_heads=True)

    def initial_memory(self, games: int) -> Memory:
        return {}

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        assert observation.features is not None
        features = observation.features
        return self.evaluate(
            torch.cat([features, torch.ones_like(features)], -1)
        ), memory

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        distinct = DistinctObservations(rollout)
        rows = distinct.observations
        log_policy = policy.log_policy(
            self.scores(rows, {})[0], rows.legal_actions(), rollout.progress
        )
        chosen = (
            distinct.at_steps(log_policy)
            .gather(-1, rollout.actions.unsqueeze(-1))
            .squeeze(-1)
        )
        to_go = (
            (rollout.team_reward * rollout.valid)
            .flip(0)
            .cumsum(0)
            .flip(0)
            .unsqueeze(-1)
        )
        entropy = distinct.at_steps(entropy_of(log_policy))
        bonus = policy.entropy_coefficient(rollout.progress)
        gained = chosen * to_go + bonus * entropy
        yield Loss(-(gained * rollout.acting).mean())


class KnowsTheTable(Memoryless):
    """Scores depend on the row in which an observation stands."""

    def evaluate(self, joined: Tensor) -> Tensor:
        return super().evaluate(joined) + torch.arange(joined.shape[0]).view(-1, 1, 1)


class AsksForARate(Sound):
    def parameter_groups(self, rate: float) -> Sequence[ParameterGroup]:  # type: ignore[override]
        return [ParameterGroup(list(self.parameters()), rate)]


class HidesItsHeads(Sound):
    """Can give every agent a head of its own, and does not say so."""

    @property
    def capabilities(self) -> HostCapabilities:
        return HostCapabilities(scores="logits", memory=True)


class ClaimsComponents(Sound):
    """Says that it can score components, and cannot."""

    @property
    def capabilities(self) -> HostCapabilities:
        return replace(super().capabilities, component_scores=True)


class ForgetsAComponent(LatentHost):
    def component_scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Tensor, Memory]:
        scores, memory = super().component_scores(observation, memory)
        return scores[1:], memory


class MixesGames(LatentHost):
    """For each component, scores are centred over the batch."""

    def component_scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Tensor, Memory]:
        scores, memory = super().component_scores(observation, memory)
        return scores - scores.mean(1, keepdim=True), memory


class NeverLearnsTheLatent(LatentHost):
    """Learns as if the team had shared nothing."""

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        first = torch.zeros_like(rollout.component)
        return super().losses(replace(rollout, component=first), policy, context)


class IgnoresTheRows(Sound):
    """Takes every row of entities for the same one."""

    @property
    def capabilities(self) -> HostCapabilities:
        return replace(super().capabilities, entity_rows=True)

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        scores, memory = super().scores(observation, memory)
        rows = observation.entity_rows
        entities = observation.entities
        if rows is not None:
            return scores + rows[..., 0, 0].view(-1, 1, 1), memory
        assert entities is not None
        return scores + entities[..., 0, :1], memory


class RemembersNothingAfterwards(Sound):
    """Its memory before every step of an episode is that of the beginning."""

    def memory_before(self, rollout: Rollout, steps: Sequence[int]) -> Memory:
        games = rollout.actions.shape[1]
        memory = self.initial_memory(games)
        return {name: torch.stack([x] * len(steps)) for name, x in memory.items()}


#: Each mutant and the check that must reject it.
MUTANTS: dict[type[HostModule], str] = {
    IgnoresTheRows: "entities_and_their_rows_agree",
    RemembersNothingAfterwards: "memory_is_that_of_play",
    AsksForARate: "host_has_every_member",
    HidesItsHeads: "own_heads_change_no_score",
    ClaimsComponents: "each_component_has_its_scores",
    ForgetsAComponent: "each_component_has_its_scores",
    MixesGames: "each_component_has_its_scores",
    NeverLearnsTheLatent: "components_learn",
    GlobalInitialisation: "host_leaves_global_randomness_alone",
    Dropout: "host_leaves_global_randomness_alone",
    FixedWeights: "scores_do_not_change_by_looking",
    NormalisesOverTheBatch: "games_do_not_share_scores",
    SharedMemory: "games_do_not_share_scores",
    UnreachableParameter: "losses_teach_every_parameter",
    LeavesOutAGroup: "losses_teach_every_parameter",
    TwiceInGroups: "losses_teach_every_parameter",
    NoLoss: "losses_teach_every_parameter",
    InfiniteLoss: "losses_teach_every_parameter",
    VectorLoss: "losses_teach_every_parameter",
    LearnsFromPadding: "padding_teaches_nothing",
    HiddenScale: "scores_do_not_change_by_looking",
    LearnsOutsideParameters: "state_dict_holds_the_policy",
    NewHeads: "own_heads_change_no_score",
    KeepsItsBody: "own_heads_change_no_score",
    SharesTheHead: "own_heads_change_no_score",
    ClaimsToShare: "groups_share_a_head",
    IgnoresGroups: "groups_share_a_head",
    SharesUnsaid: "groups_share_a_head",
    ForgetsItsMemory: "scores_have_the_promised_shape",
    KnowsTheTable: "table_and_samples_agree",
}
