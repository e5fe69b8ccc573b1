"""The table of distinct observations: looking up, and rollouts with and without it."""

from __future__ import annotations

import torch

from marl_core.observation_table import DistinctObservations, look_up, without_table
from marl_core.types import Observation, Progress, Rollout


def test_look_up() -> None:
    """Agent i in row m sees entry [m, i]; what the table does not hold stays as it is."""
    table = Observation(
        features=torch.arange(6.0).view(3, 2, 1),
        action_mask=torch.arange(12).view(3, 2, 2) % 3 > 0,
    )
    state = torch.zeros(2, 4)
    row = torch.tensor([[2, 0], [1, 1]])
    seen = look_up(Observation(state=state, row=row), table)
    assert seen.features is not None
    assert seen.features.squeeze(-1).tolist() == [[4.0, 1.0], [2.0, 3.0]]
    assert seen.action_mask is not None
    assert seen.action_mask.int().tolist() == [[[1, 0], [1, 0]], [[1, 1], [0, 1]]]
    assert seen.state is state
    assert seen.row is None


def test_look_up_the_state() -> None:
    """Where all agents of a game are in one row, it is the row of the game's state too."""
    table = Observation(features=torch.arange(6.0).view(3, 2, 1), state=torch.eye(3))
    row = torch.tensor([[2, 2], [0, 0]])
    seen = look_up(Observation(row=row), table)
    assert seen.state is not None
    assert seen.state.tolist() == [[0, 0, 1], [1, 0, 0]]
    deeper = look_up(Observation(row=row.expand(4, 2, 2)), table)
    assert deeper.state is not None
    assert torch.equal(deeper.state, seen.state.expand(4, 2, 3))


def test_without_rows_nothing_is_looked_up() -> None:
    seen = Observation(features=torch.zeros(1, 2, 3))
    assert look_up(seen, Observation(features=torch.ones(1, 2, 3))) is seen


def _rollout(
    table: Observation | None, observations: Observation, last: Observation
) -> Rollout:
    shape = (2, 3)
    on = torch.ones(shape, dtype=torch.bool)
    return Rollout(
        observations=observations,
        last_observation=last,
        actions=torch.zeros(*shape, 2, dtype=torch.int64),
        reward=torch.zeros(*shape, 2),
        team_reward=torch.zeros(shape),
        terminated=~on,
        truncated=~on,
        valid=on,
        component=torch.zeros(shape, dtype=torch.int64),
        progress=Progress(),
        table=table,
    )


def test_a_rollout_without_its_table() -> None:
    """Each sample gets its rows of the table, and is then a row of its own."""
    table = Observation(
        features=torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(0)),
        state=torch.eye(4),
    )
    game = torch.tensor([[0, 1, 2], [3, 0, 1]])
    last = torch.tensor([1, 2, 3])
    short = _rollout(
        table,
        Observation(row=game.unsqueeze(-1).expand(2, 3, 2)),
        Observation(row=last.unsqueeze(-1).expand(3, 2)),
    )
    distinct = DistinctObservations(short)
    assert distinct.has_table
    assert distinct.observations is table
    assert torch.equal(distinct.row[..., 0], game)
    assert torch.equal(distinct.last_row[..., 0], last)
    long = without_table(short)
    every = DistinctObservations(long)
    assert long.table is None
    assert not every.has_table
    assert long.observations.row is None
    assert without_table(long) is long
    assert table.features is not None
    assert table.state is not None
    for seen, row in ((long.observations, game), (long.last_observation, last)):
        assert seen.features is not None
        assert seen.state is not None
        assert torch.equal(seen.features, table.features[row])
        assert torch.equal(seen.state, table.state[row])
    # Row t E + e is game e at step t.
    values = torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(1))
    assert torch.equal(
        every.at_steps(values[game.flatten()]), distinct.at_steps(values)
    )
    assert torch.equal(distinct.at_ends(values), values[last])
    features = every.observations.features
    assert features is not None
    assert torch.equal(features, table.features[game.flatten()])
