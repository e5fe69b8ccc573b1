"""Replayed episodes in the form that QMIX's loss takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.observation_table import DistinctObservations, without_table
from marl_core.returns import rewards_of_the_living
from marl_core.types import Observation, Rollout


@dataclass(frozen=True)
class Batch:
    """Episodes to learn from; B = T E samples.

    What is learnt are the values of L learners: of the E teams or, where every agent learns for
    itself, of their L = E N agents.

    Attributes:
        cells: where the values of the actions taken are among those of all distinct observations,
            ``[R, N, A]``, flattened.
        alive: which agents live; None: all of them.
        state: where what is known of each learner in each step is among the same of all distinct
            observations: for a team the row of the table that holds its state; None: every sample
            is a row of its own.
        last_state: the same after each game's last step.
        last: what is seen after each game's last step.
        last_step: the index of each game's last step.
        is_last: nothing of each learner's game is played after this step.
        reward: the learners'.
        terminated: the task itself ended with this step.
        valid: which learners were on.
    """

    cells: Int[Tensor, "B N"]
    alive: Bool[Tensor, "B N"] | None
    state: Int[Tensor, "T_times_L"] | None
    last_state: Int[Tensor, "L"] | None
    last: Observation
    last_step: Int[Tensor, "E"]
    is_last: Bool[Tensor, "T L"]
    reward: Float[Tensor, "T L"]
    terminated: Bool[Tensor, "T L"]
    valid: Bool[Tensor, "T L"]

    @classmethod
    def of(cls, distinct: DistinctObservations, actions: int) -> Batch:
        """The batch of a rollout whose teams learn.

        Args:
            distinct: the rollout's observations.
            actions: A, how many actions there are.
        """
        rollout = distinct.rollout
        alive, valid = rollout.observations.alive, rollout.valid
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
            last_step=rollout.valid.sum(0) - 1,
            is_last=~torch.cat([valid[1:], torch.zeros_like(valid[:1])]),
            reward=rollout.team_reward,
            terminated=rollout.terminated,
            valid=valid,
        )

    def of_agents(self, rollout: Rollout, gamma: float) -> Batch:
        """The batch where every agent learns for itself.

        Its death is an end, since the dead are worth nothing; what it earns afterwards is moved
        back to its last step, discounted.

        Args:
            rollout: the same.
            gamma: discount of a step.
        """
        acting = rollout.acting
        agents = acting.shape[-1]
        reward = rewards_of_the_living(
            rollout.reward,
            None if rollout.observations.alive is None else acting,
            rollout.valid,
            gamma,
        )
        return replace(
            self,
            state=_each(self.state, agents),
            last_state=_each(self.last_state, agents),
            reward=reward.flatten(1),
            is_last=self.is_last.repeat_interleave(agents, 1),
            terminated=rollout.terminated.repeat_interleave(agents, 1),
            valid=acting.flatten(1),
        )


def _each(state: Tensor | None, agents: int) -> Tensor | None:
    """Where each agent's values are, from the rows of their teams."""
    if state is None:
        return None
    agent = torch.arange(agents, device=state.device)
    return (state.unsqueeze(-1) * agents + agent).flatten()


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
