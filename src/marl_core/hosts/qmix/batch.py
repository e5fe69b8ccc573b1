"""Replayed episodes in the form that QMIX's loss takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.observation_table import DistinctObservations, without_table
from marl_core.types import Observation, Rollout


@dataclass(frozen=True)
class Batch:
    """Episodes to learn from; B = T E samples.

    Attributes:
        cells: where the values of the actions taken are among those of all distinct observations,
            ``[R, N, A]``, flattened.
        alive: which agents live; None: all of them.
        state: the row of the table that holds the state of each sample's game; None: every sample
            is a row of its own.
        last_state: the same after each game's last step.
        last: what is seen after each game's last step.
        reward: the team's.
        terminated: the task itself ended with this step.
        valid: which games were on.
    """

    cells: Int[Tensor, "B N"]
    alive: Bool[Tensor, "B N"] | None
    state: Int[Tensor, "B"] | None
    last_state: Int[Tensor, "E"] | None
    last: Observation
    reward: Float[Tensor, "T E"]
    terminated: Bool[Tensor, "T E"]
    valid: Bool[Tensor, "T E"]

    @classmethod
    def of(cls, distinct: DistinctObservations, actions: int) -> Batch:
        """The batch of a rollout.

        Args:
            distinct: the rollout's observations.
            actions: A, how many actions there are.
        """
        rollout = distinct.rollout
        alive = rollout.observations.alive
        state = last_state = None
        if distinct.has_table:
            state = distinct.row[..., 0].flatten()
            last_state = distinct.last_row[:, 0]
        return cls(
            cells=_cells(distinct, actions),
            alive=None if alive is None else alive.flatten(0, 1),
            state=state,
            last_state=last_state,
            last=rollout.last_observation,
            reward=rollout.team_reward,
            terminated=rollout.terminated,
            valid=rollout.valid,
        )


def _cells(distinct: DistinctObservations, actions: int) -> Int[Tensor, "B N"]:
    taken = distinct.rollout.actions.flatten(0, 1)
    samples, agents = taken.shape
    agent = torch.arange(agents, device=taken.device)
    if distinct.has_table:
        row = distinct.row.flatten(0, 1)
    else:
        row = torch.arange(samples, device=taken.device).unsqueeze(-1)
    return (row * agents + agent) * actions + taken


def with_states_in_the_table(rollout: Rollout) -> Rollout:
    """The rollout, without its table where team values cannot be computed row by row.

    They can where the table has the state, and where no agent may be missing from a team.

    Args:
        rollout: any.
    """
    table = rollout.table
    if table is None:
        return rollout
    if table.state is None or rollout.observations.alive is not None:
        return without_table(rollout)
    return rollout
