"""A batch of episodes, as hosts learn from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types.batch import Memory, TensorBatch, map_tensors
from marl_core.types.observation import Observation
from marl_core.types.pieces import Pieces
from marl_core.types.progress import Progress
from marl_core.types.step import Ends

#: Says of a field that its tensors begin with the axes T E: an entry for each step of each game.
_EACH_STEP = {"axes": "T E"}
#: Says of a field that its tensors begin with the axis E: an entry for each game, after its end.
_EACH_GAME = {"axes": "E"}


@dataclass(frozen=True)
class Rollout(Ends):
    """Whole episodes of E games, played by one policy, of at most T steps.

    With ``pieces``, its columns are pieces of episodes. Where an episode goes on after its piece,
    the last step of the piece is marked as truncated, so that a host bootstraps there.

    Which fields there are and which axes they have is stated here alone: ``STEP_FIELDS`` and
    ``GAME_FIELDS`` are read off the fields.

    Attributes:
        observations: what the agents saw before each step.
        last_observation: what the agents see after the last step of each game, for bootstrapping.
        actions: what each agent did; numbers as they were drawn, which the environment may have got
            clipped to its box.
        reward: the agents' own rewards, or the team's given to every agent.
        team_reward: the team's reward.
        terminated: the task itself ended with this step.
        truncated: a limit outside of the task ended the game with this step.
        valid: game e was still on in step t; entries after a game's end are padding.
        component: the component of the joint policy that the team had drawn (with resonance: 1
            where it resonated).
        progress: how far the run was.
        memory: the host's memory before each step; None: the host has none.
        last_memory: the host's memory after the last step of each game.
        level: the level to which the reward of the step belongs.
        won: the team reached its goal with this step.
        table: the environment's table of distinct observations, where the rollout was collected
            with it; see ``marl_core.observation_table``.
        pieces: what lies before and after the pieces; None: the episodes are whole.
    """

    observations: Observation = field(metadata=_EACH_STEP)
    last_observation: Observation = field(metadata=_EACH_GAME)
    actions: Int[Tensor, "T E N"] | Float[Tensor, "T E N D"] = field(
        metadata=_EACH_STEP
    )
    reward: Float[Tensor, "T E N"] = field(metadata=_EACH_STEP)
    team_reward: Float[Tensor, "T E"] = field(metadata=_EACH_STEP)
    terminated: Bool[Tensor, "T E"] = field(metadata=_EACH_STEP)
    truncated: Bool[Tensor, "T E"] = field(metadata=_EACH_STEP)
    valid: Bool[Tensor, "T E"] = field(metadata=_EACH_STEP)
    component: Int[Tensor, "T E"] = field(metadata=_EACH_STEP)
    progress: Progress
    memory: Memory | None = field(default=None, metadata=_EACH_STEP)
    last_memory: Memory | None = field(default=None, metadata=_EACH_GAME)
    level: Int[Tensor, "T E"] | None = field(default=None, metadata=_EACH_STEP)
    won: Bool[Tensor, "T E"] | None = field(default=None, metadata=_EACH_STEP)
    table: Observation | None = None
    pieces: Pieces | None = None

    @property
    def acting(self) -> Bool[Tensor, "T E N"]:
        """Which samples are of a living agent in a game that is on."""
        valid = self.valid.unsqueeze(-1)
        alive = self.observations.alive
        shape = self.actions.shape[:3]
        return valid.expand(shape) if alive is None else valid & alive

    def map_steps(
        self,
        function: Callable[[Tensor], Tensor],
        valid: Bool[Tensor, "T2 E2"],
        last_observation: Observation,
        last_memory: Memory | None,
    ) -> Rollout:
        """The rollout with a function applied to all tensors that have an entry for each step.

        Args:
            function: may change both axes, T and E, of every tensor in the same way.
            valid: which steps are valid then.
            last_observation: what the agents see after the last step of each game then.
            last_memory: the host's memory after the last step of each game then.
        """
        changed: dict[str, Any] = {}
        for name in STEP_FIELDS:
            if name != "valid":
                changed[name] = map_tensors(getattr(self, name), function)
        return replace(
            self,
            valid=valid,
            last_observation=last_observation,
            last_memory=last_memory,
            **changed,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of steps and ends but the memory's, by name, as ``observations.alive``."""
        found: dict[str, Tensor] = {}
        for name in (*STEP_FIELDS, *GAME_FIELDS):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                found[name] = value
            elif isinstance(value, TensorBatch):
                for part, tensor in value.tensors().items():
                    found[f"{name}.{part}"] = tensor
        return found

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, Tensor],
        progress: Progress,
        table: Observation | None,
    ) -> Rollout:
        """A rollout from its tensors.

        Args:
            tensors: named as ``tensors`` names them.
            progress: how far the run is.
            table: the environment's table of distinct observations, where ``row`` is of it.
        """
        own: dict[str, Any] = {}
        parts: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, _, part = name.partition(".")
            if part:
                parts.setdefault(owner, {})[part] = value
            else:
                own[name] = value
        for owner, values in parts.items():
            own[owner] = Observation(**values)
        return cls(progress=progress, table=table, **own)


def has_steps(name: str) -> bool:
    """Whether a tensor has an entry for each step of each game, and not one for each game.

    Args:
        name: as ``Rollout.tensors`` gives it.
    """
    return name.partition(".")[0] in STEP_FIELDS


def _fields_with(metadata: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(Rollout) if one.metadata == metadata)


#: The fields of a rollout whose tensors begin with the axes T E.
STEP_FIELDS = _fields_with(_EACH_STEP)
#: The fields of a rollout whose tensors begin with the axis E.
GAME_FIELDS = _fields_with(_EACH_GAME)
