"""The typed batches that environments, hosts and explorations exchange.

Letters of the shapes, everywhere in the project: ``E`` games in parallel, ``N`` agents, ``A`` actions, ``T`` steps,
``O`` observation features, ``K`` entities of ``F`` features, ``S`` state features, ``M`` distinct situations,
``C`` components of a joint policy. ``*B`` stands for any leading axes: ``E`` in a step, ``T E`` in a rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

#: A host's own memory between steps (Conc4Hist's remembered entities, a recurrent state): tensors with leading axis E.
Memory = Mapping[str, Tensor]

#: The action of an agent that is dead or has no legal action.
NO_OP = 0


class TensorBatch:
    """A frozen dataclass of optional tensors that share their leading axes."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The batch with ``function`` applied to every tensor that is there."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return type(self)(
            **{
                name: function(value) if isinstance(value, Tensor) else value
                for name, value in values.items()
            }
        )

    @classmethod
    def stack(cls, batches: Sequence[Self]) -> Self:
        """Batches of one shape along a new first axis."""
        first = {f.name: getattr(batches[0], f.name) for f in fields(cls)}  # type: ignore[arg-type]
        return cls(
            **{
                name: torch.stack([getattr(batch, name) for batch in batches])
                if isinstance(value, Tensor)
                else value
                for name, value in first.items()
            }
        )

    @classmethod
    def concatenate(cls, batches: Sequence[Self]) -> Self:
        """Batches that have the same tensors, along their first axis."""
        first = {f.name: getattr(batches[0], f.name) for f in fields(cls)}  # type: ignore[arg-type]
        return cls(
            **{
                name: torch.cat([getattr(batch, name) for batch in batches])
                if isinstance(value, Tensor)
                else value
                for name, value in first.items()
            }
        )


@dataclass(frozen=True)
class Level:
    """A part of a task whose reward is reported on its own, as FME's ``C1``."""

    name: str
    kind: str


@dataclass(frozen=True)
class EnvironmentSpec:
    """What an environment gives. Hosts size their networks by it and configs are checked against it.

    ``features`` is O; ``entities`` is (K, F); ``state_features`` is S; None says that there is no such thing.
    ``situations`` is M where agents can only see M x N distinct observations (``Environment.distinct_observations``).
    ``fixed_length`` promises that every episode lasts exactly ``max_steps`` steps.
    ``wins`` says that the task has a goal, and that ``StepResult.won`` tells which games reached it.
    """

    agents: int
    actions: int
    max_steps: int
    features: int | None = None
    entities: tuple[int, int] | None = None
    state_features: int | None = None
    situations: int | None = None
    fixed_length: bool = False
    individual_reward: bool = False
    action_masks: bool = False
    agents_die: bool = False
    wins: bool = False
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True)
class Observation(TensorBatch):
    """What the agents see. What is missing is None or masked, never a NaN.

    ``action_mask`` None: every action is legal. ``alive`` None: everybody lives. An environment with a table of
    distinct observations gives ``situation``, the row of the table that each agent sees, in place of features.
    """

    features: Float[Tensor, "*B N O"] | None = None
    entities: Float[Tensor, "*B N K F"] | None = None
    entity_mask: Bool[Tensor, "*B N K"] | None = None
    state: Float[Tensor, "*B S"] | None = None
    action_mask: Bool[Tensor, "*B N A"] | None = None
    alive: Bool[Tensor, "*B N"] | None = None
    situation: Int[Tensor, "*B N"] | None = None

    def legal_actions(self) -> Bool[Tensor, "*B N A"] | None:
        """The mask that explorations get: at least one legal action a row. The dead, and rows with none, have NO_OP.

        None without an action mask, also where agents die: then the collector sees to it that the dead do nothing.
        """
        if self.action_mask is None:
            return None
        mask = (
            self.action_mask
            if self.alive is None
            else self.action_mask & self.alive.unsqueeze(-1)
        )
        no_op = torch.zeros_like(mask)
        no_op[..., NO_OP] = True
        return torch.where(mask.any(-1, keepdim=True), mask, no_op)

    def look_up(self, table: Observation) -> Observation:
        """The observation with the table's features, entities and masks written out for every sample.

        Args:
            table: leading axis M; row ``[m, i]`` is what agent ``i`` sees in situation ``m``. It has a state where all
                agents of a game are always in the same situation: row ``m`` is then the state of such a game.
        """
        if self.situation is None:
            return self
        situation = self.situation
        agent = torch.arange(situation.shape[-1], device=situation.device)

        def rows(values: Tensor | None, own: Tensor | None) -> Tensor | None:
            return values[situation, agent] if values is not None else own

        return replace(
            self,
            features=rows(table.features, self.features),
            entities=rows(table.entities, self.entities),
            entity_mask=rows(table.entity_mask, self.entity_mask),
            state=self.state if table.state is None else table.state[situation[..., 0]],
            action_mask=rows(table.action_mask, self.action_mask),
        )


@dataclass(frozen=True)
class StepResult:
    """What a step gives. ``observation`` is the state after the step, also for a game that has just ended.

    ``terminated``: the task itself ended. ``truncated``: a limit outside of it, so that values must be bootstrapped.
    ``level`` names the ``EnvironmentSpec.levels`` entry to which the reward of this step belongs.
    ``won``: the team reached the task's goal; true at most at the step that ends the game.
    """

    observation: Observation
    team_reward: Float[Tensor, "E"]
    terminated: Bool[Tensor, "E"]
    truncated: Bool[Tensor, "E"]
    individual_reward: Float[Tensor, "E N"] | None = None
    level: Int[Tensor, "E"] | None = None
    won: Bool[Tensor, "E"] | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run is; every schedule is a function of it. Counts are sums over all ranks."""

    episodes: int = 0
    stage: int = 0
    stage_episodes: int = 0
    environment_steps: int = 0
    updates: int = 0


@dataclass(frozen=True)
class Moment:
    """What is known when a team draws a component.

    Attributes:
        progress: how far the run is.
        device: where the weights of the components are wanted.
        observation: what the agents of each game see at the draw, leading axis E, with ``situation`` where the
            environment has a table; None outside of a game, where a law is only looked at.
    """

    progress: Progress
    device: torch.device
    observation: Observation | None = None


@dataclass(frozen=True)
class Rollout:
    """Whole episodes of E games, played by one policy, of T steps at the most.

    ``valid[t, e]`` says that game e was still on in step t; what lies behind an ended game is padding.
    ``last_observation`` is what the agents see after the last step of each game, for bootstrapping.
    ``reward`` is the individual reward, or the team's given to every agent.
    ``component[t, e]`` is the component of the joint policy that the team drew (with resonance: 1 where resonated).
    ``table`` is the environment's table of distinct observations where the rollout was collected with it.
    """

    observations: Observation  # leading axes T E
    last_observation: Observation  # leading axis E
    actions: Int[Tensor, "T E N"]
    reward: Float[Tensor, "T E N"]
    team_reward: Float[Tensor, "T E"]
    terminated: Bool[Tensor, "T E"]
    truncated: Bool[Tensor, "T E"]
    valid: Bool[Tensor, "T E"]
    component: Int[Tensor, "T E"]
    progress: Progress
    memory: Memory | None = None  # leading axes T E: the host's memory before each step
    last_memory: Memory | None = None
    level: Int[Tensor, "T E"] | None = None
    won: Bool[Tensor, "T E"] | None = None
    table: Observation | None = None

    @property
    def acting(self) -> Bool[Tensor, "T E N"]:
        """Which samples are of a living agent in a game that is on."""
        valid = self.valid.unsqueeze(-1)
        return (
            valid.expand_as(self.actions)
            if self.observations.alive is None
            else valid & self.observations.alive
        )

    def rows(self) -> Observation:
        """What a memoryless network has to be evaluated on: the M distinct situations, or else all T*E samples."""
        return (
            self.observations.map(lambda x: x.flatten(0, 1))
            if self.table is None
            else self.table
        )

    def map_steps(
        self,
        function: Callable[[Tensor], Tensor],
        valid: Bool[Tensor, "T2 E2"],
        last_observation: Observation,
        last_memory: Memory | None,
    ) -> Rollout:
        """The rollout with ``function`` applied to all that has the axes T E, which may change them both."""
        steps: dict[str, Any] = {
            name: function(value)
            for name, value in vars(self).items()
            if isinstance(value, Tensor) and name != "valid"
        }
        return replace(
            self,
            **steps,
            valid=valid,
            observations=self.observations.map(function),
            memory=None
            if self.memory is None
            else {name: function(value) for name, value in self.memory.items()},
            last_observation=last_observation,
            last_memory=last_memory,
        )

    def row_of_game(self) -> Int[Tensor, "T E"] | None:
        """Which of ``rows()`` a whole game is in, for what depends on its state; None: row ``t E + e``.

        Only where there is no table, or where the table has a state (see ``Observation.look_up``).
        """
        situation = self.observations.situation
        return None if self.table is None or situation is None else situation[..., 0]

    def written_out(self) -> Rollout:
        """The rollout with the rows of its table written out for every sample."""
        if self.table is None:
            return self
        observations, last = (
            replace(seen.look_up(self.table), situation=None)
            for seen in (self.observations, self.last_observation)
        )
        return replace(
            self, observations=observations, last_observation=last, table=None
        )

    def spread(self, values: Tensor) -> Tensor:
        """Per-row results ``[rows, N, ...]`` (of ``rows()``) brought to the samples ``[T, E, N, ...]``."""
        if self.table is None:
            return values.unflatten(0, self.actions.shape[:2])
        situation = self.observations.situation
        assert situation is not None
        return values[situation, torch.arange(values.shape[1], device=values.device)]

    def spread_last(self, values: Tensor) -> Tensor:
        """Per-row results on the table brought to ``last_observation``, ``[E, N, ...]``. Only with a table."""
        situation = self.last_observation.situation
        assert situation is not None
        return values[situation, torch.arange(values.shape[1], device=values.device)]


@dataclass(frozen=True)
class Loss:
    """One optimisation step that a host asks for: a scalar to descend and what to log about it.

    ``gradients``: a vector for each parameter group, where they came with the loss; otherwise the optimiser finds them.
    """

    total: Float[Tensor, ""]
    metrics: Mapping[str, Tensor | float] = field(default_factory=dict)
    gradients: Sequence[Tensor] | None = None


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are optimised alike.

    Attributes:
        parameters: the parameters; those that are frozen are left out of the optimisation.
        learning_rate: Adam's.
        max_gradient_norm: the limit to which the norm of the group's gradient is clipped; None: it is not clipped.
    """

    parameters: Sequence[nn.Parameter]
    learning_rate: float
    max_gradient_norm: float | None = None
