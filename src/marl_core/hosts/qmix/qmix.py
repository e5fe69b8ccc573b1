"""Fine-tuned QMIX (Rashid et al. 2018; Hu et al. 2021) with the settings of Table 3, and VDN (Sunehag et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from marl_core.base_config import HostConfig
from marl_core.capabilities import HostCapabilities, ReplaySettings
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.networks import Stack
from marl_core.hosts.qmix.mixing import MixingWeights, MonotonicMixer, mix
from marl_core.learning import LearningContext
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


class QMIXConfig(HostConfig):
    """Table 3; where it is silent, the settings of Hu et al. 2021."""

    name: str = "qmix"
    mixer: Literal["monotonic", "sum"] = Field(
        default="monotonic",
        description="How the team's value comes from the agents': QMIX's network, or VDN's sum.",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Adam's.")
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount of a step.")
    td_lambda: float = Field(
        default=0.6, ge=0, le=1, description="lambda of the TD(lambda) targets."
    )
    batch_episodes: int = Field(
        default=64, gt=0, description="Episodes of an update, over all ranks."
    )
    replay_episodes: int = Field(
        default=5000, gt=0, description="How many of the newest episodes are kept."
    )
    target_every: int = Field(
        default=200,
        gt=0,
        description="Episodes from one copy of the target network to the next.",
    )
    max_gradient_norm: float = Field(
        default=10.0, gt=0, description="Clip of the gradient norm."
    )
    hidden: int = Field(
        default=32,
        gt=0,
        description="Width of the agents' hidden layers and of the mixing network.",
    )

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="values",
            needs=frozenset(
                {"features", "state"} if self.mixer == "monotonic" else {"features"}
            ),
            replay=ReplaySettings(self.replay_episodes, self.batch_episodes),
        )


class _Networks(nn.Module):
    """The agents' action values, and the mixing network if there is one. Weights are shared by all agents."""

    def __init__(
        self, config: QMIXConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.features is None:
            raise UserError("qmix needs feature observations")
        width = config.hidden
        self.body = Stack.build(
            [spec.features, width, width], generator, relu=(True, True)
        )
        self.head = Stack.build(
            [width, spec.actions], generator, relu=(False,), last_gain=0.01
        )
        self.mixer: MonotonicMixer | None = None
        if config.mixer == "monotonic":
            if spec.state_features is None:
                message = "qmix mixes by the state, which the environment does not give; `mixer: sum` (VDN) needs none"
                raise UserError(message, "host", "mixer")
            self.mixer = MonotonicMixer(
                spec.state_features, spec.agents, width, generator
            )

    def values(self, seen: Observation) -> Float[Tensor, "*B N A"]:
        """Every agent's value of every action."""
        assert seen.features is not None
        return self.head(self.body(seen.features))

    def mixing(self, seen: Observation) -> MixingWeights | None:
        """The mixing networks in each row's state; None for a plain sum."""
        if self.mixer is None:
            return None
        assert seen.state is not None
        return self.mixer.weights(seen.state)


def _team_value(
    values: Float[Tensor, "B N"],
    mixing: MixingWeights | None,
    row: Int[Tensor, "B"] | None = None,
) -> Float[Tensor, "B"]:
    return values.sum(-1) if mixing is None else mix(values, mixing, row)


@dataclass(frozen=True)
class _Batch:
    """Episodes to learn from; B = T E samples.

    ``cells``: where the chosen actions' values are among those of all rows ``[R, N, A]``, flattened. ``row`` and
    ``last_row``: which row of a table a game is in at each step, and at its end; None where every sample is a row.
    """

    cells: Int[Tensor, "B N"]
    present: Bool[Tensor, "B N"] | None
    row: Int[Tensor, "B"] | None
    last_row: Int[Tensor, "E"] | None
    last: Observation
    reward: Float[Tensor, "T E"]
    terminated: Bool[Tensor, "T E"]
    valid: Bool[Tensor, "T E"]


@final
class QMIX(HostModule):
    """Fine-tuned QMIX: a team value that rises with each agent's own, learnt off-policy. ``mixer: sum`` is VDN.

    Double Q-learning with TD(lambda) targets over whole replayed episodes. The agents' network is feed-forward: like
    the other hosts of the paper's FME experiments it sees all that there is to see in one observation.
    """

    Config = QMIXConfig

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    synchronised_at: Tensor

    def __init__(
        self, config: QMIXConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config, self._agents, self._actions = config, spec.agents, spec.actions
        self.online = _Networks(config, spec, generator)
        self.target = _Networks(config, spec, generator)
        self.target.requires_grad_(False)
        self._synchronise()
        self.register_buffer("synchronised_at", torch.zeros((), dtype=torch.int64))

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Action values."""
        return self.online.values(observation), memory

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """All but the target network."""
        group = list(self.online.parameters())
        return [
            ParameterGroup(
                group, self.config.learning_rate, self.config.max_gradient_norm
            )
        ]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change: the body frozen, a last layer for each agent; the mixing network goes on learning."""
        self.online.body.requires_grad_(False)
        for networks in (self.online, self.target):
            networks.head.copy_for_each_agent(self._agents)
        self.target.requires_grad_(False)

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """One step: the squared difference between the team's value and its TD(lambda) target."""
        self._synchronise_when_due(rollout.progress)
        # Team values by the row of a table: only where it has the state, and where nobody may be missing from a team.
        if rollout.table is not None and (
            rollout.table.state is None or rollout.observations.alive is not None
        ):
            rollout = rollout.written_out()
        count = context.ranks.mean(rollout.valid.sum().double())
        yield context.loss_of(
            self._objective, self._batch(rollout), rollout.rows(), count
        )

    def _objective(
        self, batch: _Batch, rows: Observation, count: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        values = self.online.values(rows)
        chosen = (
            values.flatten().index_select(0, batch.cells.flatten()).view_as(batch.cells)
        )
        if batch.present is not None:  # the dead have no part in the team's value
            chosen = torch.where(batch.present, chosen, 0.0)
        team = _team_value(chosen, self.online.mixing(rows), batch.row)
        targets = self._targets(batch, rows, values.detach()).flatten()
        weights = batch.valid.flatten() / count.to(team.dtype)
        loss = (weights * (team - targets).square()).sum()
        return loss, {
            "td_error": loss.detach().sqrt(),
            "team_value": (weights * team.detach()).sum(),
        }

    @torch.no_grad()
    def _targets(
        self, batch: _Batch, rows: Observation, values: Float[Tensor, "R N A"]
    ) -> Float[Tensor, "T E"]:
        """TD(lambda) targets from what the target network thinks of the online network's best joint action."""
        of_rows = self._greedy_team_value(rows, values)
        if batch.row is None or batch.last_row is None:
            following = of_rows.view(batch.valid.shape)
            last = self._greedy_team_value(batch.last, self.online.values(batch.last))
        else:
            following = of_rows.index_select(0, batch.row).view(batch.valid.shape)
            last = of_rows.index_select(0, batch.last_row)
        following = torch.cat([following[1:], last.unsqueeze(0)])
        ends = ~torch.cat([batch.valid[1:], torch.zeros_like(batch.valid[:1])])
        return td_lambda_returns(
            batch.reward.to(values.dtype),
            torch.where(ends, last, following),
            batch.terminated,
            batch.valid,
            self.config.gamma,
            self.config.td_lambda,
        )

    def _greedy_team_value(
        self, seen: Observation, values: Float[Tensor, "R N A"]
    ) -> Float[Tensor, "R"]:
        legal = seen.legal_actions()
        best = (
            values if legal is None else values.masked_fill(~legal, -torch.inf)
        ).argmax(-1, keepdim=True)
        own = self.target.values(seen).gather(-1, best).squeeze(-1)
        if seen.alive is not None:
            own = torch.where(seen.alive, own, 0.0)
        return _team_value(own, self.target.mixing(seen))

    def _batch(self, rollout: Rollout) -> _Batch:
        actions, seen, alive = (
            rollout.actions.flatten(0, 1),
            rollout.observations,
            rollout.observations.alive,
        )
        if rollout.table is None or seen.situation is None:
            rows = torch.arange(actions.shape[0], device=actions.device).unsqueeze(-1)
        else:
            rows = seen.situation.flatten(0, 1)
        row, last = rollout.row_of_game(), rollout.last_observation.situation
        return _Batch(
            cells=(
                rows * self._agents + torch.arange(self._agents, device=actions.device)
            )
            * self._actions
            + actions,
            present=None if alive is None else alive.flatten(0, 1),
            row=None if row is None else row.flatten(),
            last_row=None if row is None or last is None else last[:, 0],
            last=rollout.last_observation,
            reward=rollout.team_reward,
            terminated=rollout.terminated,
            valid=rollout.valid,
        )

    def _synchronise_when_due(self, progress: Progress) -> None:
        if progress.episodes - int(self.synchronised_at) >= self.config.target_every:
            self._synchronise()
            self.synchronised_at.fill_(progress.episodes)

    @torch.no_grad()
    def _synchronise(self) -> None:
        for target, online in zip(
            self.target.parameters(), self.online.parameters(), strict=True
        ):
            target.copy_(online)
