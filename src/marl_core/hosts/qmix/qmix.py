"""Fine-tuned QMIX with the settings of Table 3, VDN, and independent Q-learning.

Rashid et al. 2018 (QMIX), Hu et al. 2021 (its fine-tuning), Sunehag et al. 2018 (VDN), Tan 1993
(IQL).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from marl_core.capabilities import HostCapabilities
from marl_core.hosts.base import HostModule
from marl_core.hosts.bodies import memory_before
from marl_core.hosts.qmix.batch import Batch, with_states_in_the_table
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.mixing import MixingWeights
from marl_core.hosts.qmix.networks import Evaluated, TeamNetworks, team_value
from marl_core.learning import LearningContext, eagerly
from marl_core.observation_table import DistinctObservations, without_table
from marl_core.protocols import IndividualPolicy
from marl_core.returns import td_lambda_returns
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)

#: Under which name the agents' memory is kept.
_HIDDEN = "hidden"


@final
class QMIX(HostModule):
    """Fine-tuned QMIX: a team value that rises with each agent's own, learnt off-policy.

    With ``mixer: sum`` it is VDN; with ``mixer: none`` every agent learns for itself, from its own
    reward (IQL). Double Q-learning with TD(lambda) targets over whole replayed episodes. By default
    the agents' network is feed-forward: like the other hosts of the paper's FME experiments it sees
    all that there is to see in one observation. A recurrent one is unrolled from the beginnings of
    the episodes.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Raises:
        UserError: the environment does not give what the networks need.
    """

    Config = QMIXConfig
    synchronised_at: Tensor

    def __init__(
        self, config: QMIXConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self._agents = spec.agents
        self._recurrent = config.body == "gru"
        self._actions = spec.actions
        self.online = TeamNetworks(config, spec, generator)
        self.target = TeamNetworks(config, spec, generator)
        self.target.requires_grad_(False)
        self._synchronise()
        self.register_buffer(
            "synchronised_at",
            torch.zeros((), dtype=torch.int64),
        )
        #: The same number on the host, once it is known: a device would be waited for.
        self._known: int | None = None
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def initial_memory(self, games: int) -> Memory:
        """Zeros, where the network remembers.

        Args:
            games: E.
        """
        if not self._recurrent:
            return {}
        weight = next(self.online.head.parameters())
        return {_HIDDEN: weight.new_zeros(games, self._agents, self.config.hidden)}

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Action values, and what the agents remember.

        Args:
            observation: with features, leading axes ``*B``.
            memory: empty for a network that has none.
        """
        if not self._recurrent:
            return self.online.values(observation), memory
        values, hidden = self.online.step(observation, memory[_HIDDEN])
        return values, {_HIDDEN: hidden}

    def memory_before(self, rollout: Rollout, steps: Sequence[int]) -> Memory:
        """What the agents remembered before some steps, under the present weights.

        Args:
            rollout: whole episodes.
            steps: S of them.
        """
        if not self._recurrent:
            return {}
        after = self.online.unroll(without_table(rollout).observations)
        return {_HIDDEN: memory_before(after, steps)}

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """All but the target network."""
        config = self.config
        learnt = list(self.online.parameters())
        return [ParameterGroup(learnt, config.learning_rate, config.max_gradient_norm)]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change (Section 6.1): the body is frozen, each agent has its own last layer.

        The mixing network goes on learning.
        """
        self.online.body.requires_grad_(False)
        if self.online.unit is not None:
            self.online.unit.requires_grad_(False)
        for networks in (self.online, self.target):
            networks.head.copy_for_each_agent(self._agents)
        self.target.requires_grad_(False)

    def share_heads(self, groups: Sequence[int]) -> None:
        """Have the agents of a group share one head (``SharesHeads``).

        Args:
            groups: the group of each agent. Each lies in one of the groups before.
        """
        self.online.head.share_copies(groups)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """One step: the squared difference between each learner's value and its TD(lambda) target.

        Args:
            rollout: whole replayed episodes.
            policy: makes no difference.
            context: the ranks that learn together, and how losses are evaluated.
        """
        self._synchronise_when_due(rollout.progress)
        # What an agent remembers depends on more than the table has.
        fitting = without_table if self._recurrent else with_states_in_the_table
        distinct = DistinctObservations(fitting(rollout))
        batch = Batch.of(distinct, self._actions)
        if self.config.mixer == "none":
            batch = batch.of_agents(distinct.rollout, self.config.gamma)
        count = context.ranks.mean(batch.valid.sum().double())
        # A recurrent unit is a kernel already, and cannot be traced.
        loss_of = eagerly if self._recurrent else context.loss_of
        yield loss_of(
            self._objective,
            batch,
            distinct.observations,
            count,
        )

    def _objective(
        self, batch: Batch, seen: Observation, count: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss. Values are computed once for each distinct observation ``seen``."""
        online = self.online.evaluate(seen, len(batch.valid))
        chosen = online.values.flatten().index_select(0, batch.cells.flatten())
        chosen = chosen.view_as(batch.cells)
        if batch.alive is not None:  # the dead have no part in the team's value
            chosen = torch.where(batch.alive, chosen, 0.0)
        team = self._learnt_value(
            chosen,
            self.online.mixing(seen),
            batch.state,
        )
        targets = self._targets(batch, seen, online).flatten()
        weights = batch.valid.flatten() / count.to(team.dtype)
        loss = (weights * (team - targets).square()).sum()
        return loss, {
            "td_error": loss.detach().sqrt(),
            "team_value": (weights * team.detach()).sum(),
        }

    def _learnt_value(
        self,
        values: Float[Tensor, "B N"],
        mixing: MixingWeights | None,
        state: Int[Tensor, "rows"] | None = None,
    ) -> Float[Tensor, "rows"]:
        """The values that are learnt: of B teams, or of all of their agents."""
        if self.config.mixer == "none":
            return values.flatten()
        return team_value(values, mixing, state)

    @torch.no_grad()
    def _targets(
        self,
        batch: Batch,
        seen: Observation,
        online: Evaluated,
    ) -> Float[Tensor, "T L"]:
        """TD(lambda) targets by double Q-learning.

        They are what the target network thinks of the joint action that the online network likes
        best.
        """
        target = self.target.evaluate(seen, len(batch.valid))
        greedy = self._greedy_value(seen, online.values, target.values)
        if batch.state is None or batch.last_state is None:
            now = greedy.view(batch.valid.shape)
            last = self._greedy_value(
                batch.last,
                self.online.after(online, batch),
                self.target.after(target, batch),
            )
        else:
            now = greedy.index_select(0, batch.state).view(batch.valid.shape)
            last = greedy.index_select(0, batch.last_state)
        following = torch.cat([now[1:], last.unsqueeze(0)])
        return td_lambda_returns(
            batch.reward.to(online.values.dtype),
            torch.where(batch.is_last, last, following),
            batch.terminated,
            batch.valid,
            self.config.gamma,
            self.config.td_lambda,
        )

    def _greedy_value(
        self,
        seen: Observation,
        online: Float[Tensor, "R N A"],
        target: Float[Tensor, "R N A"],
    ) -> Float[Tensor, "learners"]:
        """The target network's values of the joint actions that are best by the online network."""
        legal = seen.legal_actions()
        if legal is not None:
            online = online.masked_fill(~legal, -torch.inf)
        best = online.argmax(-1, keepdim=True)
        own = target.gather(-1, best).squeeze(-1)
        if seen.alive is not None:
            own = torch.where(seen.alive, own, 0.0)
        return self._learnt_value(own, self.target.mixing(seen))

    def _synchronise_when_due(self, progress: Progress) -> None:
        if self._known is None:
            self._known = int(self.synchronised_at)
        if progress.episodes - self._known >= self.config.target_every:
            self._synchronise()
            self.synchronised_at.fill_(progress.episodes)
            self._known = progress.episodes

    @torch.no_grad()
    def _synchronise(self) -> None:
        """Copy the online network into the target network."""
        learnt = self.online.parameters()
        for copy, parameter in zip(self.target.parameters(), learnt, strict=True):
            copy.copy_(parameter)


def _forget(host: nn.Module, _: object) -> None:
    """What the host knew, before its state was loaded, of when it was synchronised."""
    assert isinstance(host, QMIX)
    host._known = None
