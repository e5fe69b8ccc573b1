"""Games of a team, and who deviated in them from the greedy joint action."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from marl_core.abilities import Closes, RebuildsMemory
from marl_core.collection.collector import Collector
from marl_core.construction import build_environment
from marl_core.evaluation.checked_policy import checked
from marl_core.exploration.coupled import CoupledExploration
from marl_core.joint_policy import greedy_actions
from marl_core.observation_table import DistinctObservations
from marl_core.protocols import Coupling, HostAlgorithm, IndividualPolicy
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import Memory, Rollout

#: How many games are held in memory at a time, with everything that agents see.
_AT_ONCE = 256


@dataclass(frozen=True)
class Games:
    """Whole games: what is kept of them.

    Attributes:
        deviates: which agents took another action than their most probable one.
        acting: which agents lived in a game that was on.
        reward: the team's; 0 after a game's end.
        valid: which games were on.
        component: what each team had drawn.
        level: to which level each step belongs; None where the environment has no levels.
    """

    deviates: Bool[Tensor, "T E N"]
    acting: Bool[Tensor, "T E N"]
    reward: Float[Tensor, "T E"]
    valid: Bool[Tensor, "T E"]
    component: Int[Tensor, "T E"]
    level: Int[Tensor, "T E"] | None = None

    @property
    def returns(self) -> Float[Tensor, "E"]:
        """Each game's return, without discount."""
        return self.reward.sum(0)

    @property
    def judged_alone(self) -> Bool[Tensor, "T E N"]:
        """Which agents acted while none of the others deviated."""
        others = self.deviates.sum(-1, keepdim=True) - self.deviates.int()
        return self.acting & (others == 0)


@dataclass(frozen=True)
class ToGo:
    """How rewards are summed from a step on.

    Attributes:
        discount: gamma, the weight of a reward one step later.
        horizon: how many steps count; None: all to the end.
    """

    discount: float = 0.99
    horizon: int | None = None

    def of(
        self,
        reward: Float[Tensor, "T E"],
    ) -> Float[Tensor, "T E"]:
        """The sum from each step on.

        Args:
            reward: at each step; 0 after a game's end.
        """
        following = torch.zeros_like(reward[0])
        backwards = []
        for earned in reward.flip(0):
            following = earned + self.discount * following
            backwards.append(following)
        whole = torch.stack(backwards).flip(0)
        horizon = self.horizon
        if horizon is None or horizon >= len(whole):
            return whole
        later = pad(whole[horizon:], (0, 0, 0, horizon))
        return whole - self.discount**horizon * later


def play(
    state: RunState,
    coupling: Coupling,
    purpose: str,
    episodes: int,
    device: torch.device | str,
) -> Games:
    """Play games by the team's individual policies under a coupling.

    The generators depend on the run's seed, its update and the purpose alone.

    Args:
        state: the run.
        coupling: what the team shares.
        purpose: names the games' generators.
        episodes: how many games.
        device: where they are played.

    Raises:
        UserError: a score of the host is not finite.
    """
    config, updates = state.config, state.progress.updates
    begin, act = (
        generator(device, config.seed, "diagnosis", purpose, part, updates)
        for part in ("play", "act")
    )
    at_once = min(episodes, _AT_ONCE)
    environment = build_environment(
        config.environment,
        games=at_once,
        device=device,
        generator=begin,
    )
    policy = checked(state.exploration.individual)
    exploration = CoupledExploration(policy, coupling)
    use_table = config.training.use_table
    parts = []
    with ExitStack() as stack:
        if isinstance(environment, Closes):
            stack.callback(environment.close)
        for first in range(
            0,
            episodes,
            at_once,
        ):
            count = min(at_once, episodes - first)
            collector = Collector(environment, act, episodes=count, use_table=use_table)
            rollout = collector.collect(state.host, exploration, state.progress)
            parts.append(_kept(rollout, state.host, policy))
    policy.check()
    return _together(parts)


def _kept(
    rollout: Rollout,
    host: HostAlgorithm,
    policy: IndividualPolicy,
) -> Games:
    valid = rollout.valid
    acting = rollout.acting
    return Games(
        deviates=acting & (rollout.actions != greedy_at_steps(rollout, host, policy)),
        acting=acting,
        reward=rollout.team_reward.double() * valid,
        valid=valid,
        component=rollout.component,
        level=rollout.level,
    )


@torch.no_grad()
def greedy_at_steps(
    rollout: Rollout,
    host: HostAlgorithm,
    policy: IndividualPolicy,
) -> Int[Tensor, "T E N"]:
    """Each agent's most probable action at each step of some games (Eq. 14).

    Args:
        rollout: whole episodes, with the host's memory where it does not rebuild it.
        host: that played them.
        policy: that it played by.
    """
    distinct = DistinctObservations(rollout)
    seen = distinct.observations
    scores, _ = host.scores(seen, _memory(rollout, host))
    log_policy = policy.log_policy(scores, seen.legal_actions(), rollout.progress)
    return distinct.at_steps(greedy_actions(log_policy))


def _memory(
    rollout: Rollout,
    host: HostAlgorithm,
) -> Memory:
    """The host's memory before each step, its axes T and E as one."""
    memory = rollout.memory
    if memory is None and isinstance(host, RebuildsMemory):
        memory = host.memory_before(rollout, range(len(rollout.valid)))
    return {name: value.flatten(0, 1) for name, value in (memory or {}).items()}


def _together(parts: Sequence[Games]) -> Games:
    """Games that were played in parts, padded to the longest."""
    longest = max(len(part.valid) for part in parts)

    def joined(tensors: Sequence[Tensor]) -> Tensor:
        padded = []
        for tensor in tensors:
            missing = longest - len(tensor)
            after = [0, 0] * (tensor.dim() - 1) + [0, missing]
            padded.append(pad(tensor, after))
        return torch.cat(padded, dim=1)

    levels = [part.level for part in parts if part.level is not None]
    return Games(
        deviates=joined([part.deviates for part in parts]),
        acting=joined([part.acting for part in parts]),
        reward=joined([part.reward for part in parts]),
        valid=joined([part.valid for part in parts]),
        component=joined([part.component for part in parts]),
        level=joined(levels) if levels else None,
    )
