"""Collecting whole episodes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from marl_core.joint_policy import JointSampler, draw_components
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.types import NO_OP, Memory, Observation, Progress, Rollout, StepResult


class Collector:
    """Plays all games of an environment once, from reset to their ends."""

    def __init__(self, environment: Environment, generator: torch.Generator, *, use_table: bool = True) -> None:
        self._environment, self._generator = environment, generator
        self._table = environment.distinct_observations
        self._use_table = use_table and self._table is not None

    @torch.no_grad()
    def collect(self, host: HostAlgorithm, exploration: ExplorationStrategy, progress: Progress) -> Rollout:
        """A whole episode of each game under the strategy's joint policy.

        A host without memory on an environment with a table of distinct observations is evaluated once on the table;
        otherwise it is evaluated on every observation.
        """
        spec = self._environment.spec
        table = self.table(host)
        observation = self._seen(self._environment.reset(), table)
        games = _games(observation)
        device = self._generator.device
        weights = exploration.component_weights(progress, device)
        component = draw_components(weights, games, self._generator)
        memory = host.initial_memory(games)
        sampler = self._sampler(host, exploration, progress, table, {})[0] if table is not None else None
        on = torch.ones(games, dtype=torch.bool, device=device)
        steps: list[_Step] = []
        last, last_memory = observation, memory
        for _ in range(spec.max_steps):
            if exploration.redraw_every_step and steps:
                component = draw_components(weights, games, self._generator)
            before = memory
            if sampler is not None:
                actions = sampler.draw(component, self._generator, observation.situation)
            else:
                own, memory = self._sampler(host, exploration, progress, observation, memory)
                actions = own.draw(component, self._generator)
            if observation.alive is not None:  # with a table, or without action masks, no mask stops the dead
                actions = actions.masked_fill(~observation.alive, NO_OP)
            result = self._environment.step(actions)
            steps.append(_Step(observation, before, actions, component, on, result))
            observation = self._seen(result.observation, table)
            last = observation if spec.fixed_length else _where(on, observation, last)
            last_memory = {name: _where_tensor(on, value, last_memory[name]) for name, value in memory.items()}
            on = on & ~(result.terminated | result.truncated)
            # Asking costs a synchronisation with the device: not where the answer is known.
            if not spec.fixed_length and not bool(on.any()):
                break
        return _rollout(steps, last, last_memory if memory else None, progress, table)

    def table(self, host: HostAlgorithm) -> Observation | None:
        """The table of distinct observations that the host's rollouts come with; None where it is not used."""
        return self._table if self._use_table and not host.needs.memory else None

    def _seen(self, observation: Observation, table: Observation | None) -> Observation:
        """The observation as it goes into the rollout: written out where the table is not used."""
        if table is not None or self._table is None:
            return observation
        return replace(observation.look_up(self._table), situation=None)

    @staticmethod
    def _sampler(
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
        progress: Progress,
        observation: Observation,
        memory: Memory,
    ) -> tuple[JointSampler, Memory]:
        scores, memory = host.scores(observation, memory)
        return exploration.joint_policy(scores, observation.legal_actions(), progress).sampler(), memory


class _Step(NamedTuple):
    """One step of all games: what was before it, what was done, what came of it."""

    observation: Observation
    memory: Memory
    actions: Tensor
    component: Tensor
    on: Tensor
    result: StepResult


def _rollout(
    steps: list[_Step], last: Observation, last_memory: Memory | None, progress: Progress, table: Observation | None
) -> Rollout:
    results = [step.result for step in steps]
    actions = torch.stack([step.actions for step in steps])
    team = torch.stack([result.team_reward for result in results])
    individual = [result.individual_reward for result in results if result.individual_reward is not None]
    levels = [result.level for result in results if result.level is not None]
    won = [result.won for result in results if result.won is not None]
    return Rollout(
        observations=Observation.stack([step.observation for step in steps]),
        last_observation=last,
        actions=actions,
        reward=torch.stack(individual) if individual else team.unsqueeze(-1).expand(actions.shape),
        team_reward=team,
        terminated=torch.stack([result.terminated for result in results]),
        truncated=torch.stack([result.truncated for result in results]),
        valid=torch.stack([step.on for step in steps]),
        component=torch.stack([step.component for step in steps]),
        progress=progress,
        memory={name: torch.stack([s.memory[name] for s in steps]) for name in steps[0].memory}
        if last_memory
        else None,
        last_memory=last_memory,
        level=torch.stack(levels) if levels else None,
        won=torch.stack(won) if won else None,
        table=table,
    )


def _games(observation: Observation) -> int:
    present = (observation.situation, observation.features, observation.entities)
    return next(int(value.shape[0]) for value in present if value is not None)


def _where(mask: Tensor, new: Observation, old: Observation) -> Observation:
    """Each game's entry from ``new`` where the mask is set, else from ``old``."""
    merged = {
        name: _where_tensor(mask, value, getattr(old, name)) if isinstance(value, Tensor) else None
        for name, value in vars(new).items()
    }
    return Observation(**merged)


def _where_tensor(mask: Bool[Tensor, "E"], new: Tensor, old: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *[1] * (new.dim() - 1)), new, old)
