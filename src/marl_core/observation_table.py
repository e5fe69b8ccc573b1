"""The table of distinct observations: everything that agents can ever see, listed once.

In some environments agents see few distinct things. In FME, for example, an agent sees the level
that its team is in, and its own identity. Such an environment lists the *distinct observations* in
a *table* of M *rows*: row m holds, for each of the N agents, what it sees there. Observations then
have ``Observation.row``, the row that each agent sees, in place of features. So a network without
memory is evaluated M N times for a whole rollout, and not once for each sample.

Everything that knows of the table is here. Hosts ask for ``DistinctObservations``, which works for
rollouts with and without a table::

    distinct = DistinctObservations(rollout)
    values = critic(distinct.observations.features)  # [R, N], each distinct observation once
    distinct.at_steps(values)                        # [T, E, N], the value of every sample
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor

from marl_core.abilities import HasObservationTable
from marl_core.protocols import Environment
from marl_core.types import Observation, Rollout


def table_of(environment: Environment) -> Observation | None:
    """The environment's table of distinct observations, leading axes M N.

    Args:
        environment: any.

    Returns:
        None where it has no table.
    """
    if not isinstance(environment, HasObservationTable):
        return None
    table: Observation | None = environment.distinct_observations
    return table


def look_up(observation: Observation, table: Observation) -> Observation:
    """The observation with what its rows say written out for every agent, and without the rows.

    Args:
        observation: leading axes ``*B``; without rows it is returned as it is.
        table: leading axes M N. It has a state where all agents of a game are always in the same
            row: row m of the state, ``[M, S]``, is then the state of such a game.
    """
    row = observation.row
    if row is None:
        return observation
    written = {}
    for name, values in table.tensors().items():
        if name == "state":
            written[name] = values[row[..., 0]]
        elif name in _IN_THE_TABLE:
            written[name] = _of_agents(values, row)
    return replace(observation, row=None, **written)


#: What a table may hold for each agent. Which agents live stands in the observation itself.
_IN_THE_TABLE = ("features", "entities", "entity_mask", "action_mask")


def _of_agents(
    values: Tensor,
    row: Int[Tensor, "*B N"],
) -> Tensor:
    """The entries ``[*B, N, ...]`` of values ``[R, N, ...]`` in the rows that the agents see."""
    agent = torch.arange(
        values.shape[1],
        device=values.device,
    )
    return values[row, agent]


def without_table(rollout: Rollout) -> Rollout:
    """The rollout with the rows of its table written out for every sample.

    Args:
        rollout: without a table it is returned as it is.
    """
    table = rollout.table
    if table is None:
        return rollout
    return replace(
        rollout,
        observations=look_up(rollout.observations, table),
        last_observation=look_up(rollout.last_observation, table),
        table=None,
    )


@final
@dataclass(frozen=True)
class DistinctObservations:
    """What a network without memory has to be evaluated on in order to know all about a rollout.

    With a table these are its M rows. Without one each of the T E samples of a team is a row of its
    own: row ``t E + e`` is game e at step t.

    Attributes:
        rollout: whose observations these are.
    """

    rollout: Rollout

    @property
    def has_table(self) -> bool:
        """Whether the rows are those of a table."""
        return self.rollout.table is not None

    @cached_property
    def observations(self) -> Observation:
        """Each distinct observation once, leading axes ``[R, N]``."""
        table = self.rollout.table
        if table is not None:
            return table
        return self.rollout.observations.map(lambda x: x.flatten(0, 1))

    @property
    def row(self) -> Int[Tensor, "T E N"]:
        """The row of the table that the agents see at each step. Only with a table."""
        row = self.rollout.observations.row
        assert row is not None, "there is no table"
        return row

    @property
    def last_row(self) -> Int[Tensor, "E N"]:
        """The row of the table that is seen after each game's last step. Only with a table."""
        row = self.rollout.last_observation.row
        assert row is not None, "there is no table"
        return row

    def at_steps(self, values: Tensor) -> Tensor:
        """Results for each distinct observation, brought to the samples that saw it.

        Args:
            values: ``[R, N, ...]``.

        Returns:
            ``[T, E, N, ...]``.
        """
        if not self.has_table:
            return values.unflatten(
                0,
                self.rollout.actions.shape[:2],
            )
        return _of_agents(values, self.row)

    def at_ends(self, values: Tensor) -> Tensor:
        """Results for each distinct observation, brought to what is seen after the last steps.

        Only with a table: without one, ``rollout.last_observation`` is not among the rows.

        Args:
            values: ``[M, N, ...]``.

        Returns:
            ``[E, N, ...]``.
        """
        return _of_agents(values, self.last_row)
