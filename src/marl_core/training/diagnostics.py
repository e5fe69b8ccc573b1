"""What helps to see how learning goes: how much an update changes the policy, and how it steps.

Nothing here affects learning. It is computed where a line is logged, and only if somebody besides
``metrics.csv`` listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.abilities import RebuildsMemory, StatesDensities
from marl_core.densities.agents import Densities
from marl_core.protocols import HostAlgorithm, IndividualPolicy
from marl_core.training.optimizer import FlatOptimizer
from marl_core.types import Memory, Observation, Progress, Rollout

#: At most this many agents' policies are looked at.
_MOST_SAMPLES = 4096


@final
@dataclass(frozen=True)
class PolicyBefore:
    """The policy before an update, on a sample of what was seen.

    Attributes:
        observation: the sample, leading axis B.
        memory: the host's, before each of the observations.
        progress: that of the rollout: schedules make no difference.
        said: the logarithm of the policy then, ``[B, N, A]``; where actions are numbers in a box,
            the densities.
    """

    observation: Observation
    memory: Memory
    progress: Progress
    said: Float[Tensor, "B N A"] | Densities

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        rollout: Rollout,
        host: HostAlgorithm,
        policy: IndividualPolicy,
    ) -> PolicyBefore:
        """Look at the policy before it learns.

        Args:
            rollout: just played.
            host: before the update.
            policy: the team's individual policy.
        """
        observation, memory = _sample(rollout, host)
        said = _policy(
            host,
            policy,
            observation,
            memory,
            rollout.progress,
        )
        return cls(observation, memory, rollout.progress, said)

    @torch.no_grad()
    def compared(
        self,
        host: HostAlgorithm,
        policy: IndividualPolicy,
    ) -> dict[str, float]:
        """Entropy after the update, and the divergence from the policy before.

        Args:
            host: after the update.
            policy: the team's individual policy.

        Returns:
            ``entropy``: the mean of the agents' entropies, in nats; ``approximate_kl``: the mean of
            KL(before || after) over the sample.
        """
        seen = self.observation
        after = _policy(host, policy, seen, self.memory, self.progress)
        if not isinstance(self.said, Tensor):
            assert not isinstance(after, Tensor)
            entropy = after.entropy().mean()
            divergence = self.said.divergence(after).mean()
            return {"entropy": float(entropy), "approximate_kl": float(divergence)}
        assert isinstance(after, Tensor)
        before = self.said.exp()
        change = before * (self.said - after)
        entropy = -(after.exp() * after).sum(-1).mean()
        divergence = change.sum(-1).mean()
        return {"entropy": float(entropy), "approximate_kl": float(divergence)}


def _policy(
    host: HostAlgorithm,
    policy: IndividualPolicy,
    observation: Observation,
    memory: Memory,
    progress: Progress,
) -> Float[Tensor, "B N A"] | Densities:
    scores, _ = host.scores(observation, memory)
    if isinstance(policy, StatesDensities):
        return policy.densities(scores.clone(), progress)
    return policy.log_policy(
        scores,
        observation.legal_actions(),
        progress,
    ).clone()


def _sample(
    rollout: Rollout,
    host: HostAlgorithm,
) -> tuple[Observation, Memory]:
    """The table of distinct observations, or else games at steps that are evenly apart."""
    if rollout.table is not None:
        return rollout.table, {}
    steps, games, agents = rollout.actions.shape[:3]
    most_steps = max(1, _MOST_SAMPLES // (games * agents))
    every = -(-steps // most_steps)
    few = max(1, _MOST_SAMPLES // agents)

    def part(values: Tensor) -> Tensor:
        return values[::every].flatten(0, 1)[:few]

    if isinstance(host, RebuildsMemory):
        rebuilt = host.memory_before(rollout, range(0, steps, every))
        kept = {name: value.flatten(0, 1)[:few] for name, value in rebuilt.items()}
    else:
        memory = rollout.memory or {}
        kept = {name: part(value) for name, value in memory.items()}
    return rollout.observations.map(part), kept


def step_metrics(optimizer: FlatOptimizer) -> dict[str, float]:
    """Of the last optimisation step, for each group of parameters.

    Args:
        optimizer: the host's.

    Returns:
        ``gradient_norm/INDEX``, after clipping, and ``learning_rate/INDEX``.
    """
    found: dict[str, float] = {}
    for index, group in enumerate(optimizer.param_groups):
        found[f"learning_rate/{index}"] = float(group["lr"])
    for index, vector in enumerate(optimizer.vectors):
        if vector.grad is not None:
            norm = torch.linalg.vector_norm(vector.grad)
            found[f"gradient_norm/{index}"] = float(norm)
    return found
