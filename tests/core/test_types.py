"""Observations: which actions are legal, and what a table says, also of whole rollouts."""

from __future__ import annotations

import torch

from marl_core.types import Observation, Progress, Rollout


def test_legal_actions() -> None:
    """Of the agents: one free, one restricted, one without any legal action, one dead."""
    mask = torch.tensor([[[True, True], [False, True], [False, False], [True, True]]])
    alive = torch.tensor([[True, True, True, False]])
    legal = Observation(action_mask=mask, alive=alive).legal_actions()
    assert legal is not None
    assert legal.int().tolist() == [[[1, 1], [0, 1], [1, 0], [1, 0]]]


def test_legal_actions_where_everybody_lives() -> None:
    legal = Observation(
        action_mask=torch.tensor([[False, False, False], [False, True, False]])
    ).legal_actions()
    assert legal is not None
    assert legal.int().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_without_a_mask_everything_is_legal() -> None:
    assert Observation(features=torch.zeros(1, 2, 3)).legal_actions() is None


def test_look_up() -> None:
    """Agent i in situation m sees row [m, i]; what the table does not hold stays as it is."""
    table = Observation(
        features=torch.arange(6.0).view(3, 2, 1),
        action_mask=torch.arange(12).view(3, 2, 2) % 3 > 0,
    )
    state, situation = torch.zeros(2, 4), torch.tensor([[2, 0], [1, 1]])
    seen = Observation(state=state, situation=situation).look_up(table)
    assert seen.features is not None
    assert seen.features.squeeze(-1).tolist() == [[4.0, 1.0], [2.0, 3.0]]
    assert seen.action_mask is not None
    assert seen.action_mask.int().tolist() == [[[1, 0], [1, 0]], [[1, 1], [0, 1]]]
    assert seen.state is state


def test_look_up_the_state() -> None:
    """Where all agents of a game are in one situation, a row is the state of the game too."""
    table = Observation(features=torch.arange(6.0).view(3, 2, 1), state=torch.eye(3))
    situation = torch.tensor([[2, 2], [0, 0]])
    seen = Observation(situation=situation).look_up(table)
    assert seen.state is not None
    assert seen.state.tolist() == [[0, 0, 1], [1, 0, 0]]
    deeper = Observation(situation=situation.expand(4, 2, 2)).look_up(table)
    assert deeper.state is not None
    assert torch.equal(deeper.state, seen.state.expand(4, 2, 3))


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


def test_a_rollout_written_out() -> None:
    """Each sample gets its rows of the table, and is then a row of its own."""
    table = Observation(
        features=torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(0)),
        state=torch.eye(4),
    )
    game = torch.tensor([[0, 1, 2], [3, 0, 1]])
    last = torch.tensor([1, 2, 3])
    short = _rollout(
        table,
        Observation(situation=game.unsqueeze(-1).expand(2, 3, 2)),
        Observation(situation=last.unsqueeze(-1).expand(3, 2)),
    )
    row = short.row_of_game()
    assert row is not None
    assert torch.equal(row, game)
    long = short.written_out()
    assert long.table is None
    assert long.row_of_game() is None
    assert long.observations.situation is None
    assert long.written_out() is long
    assert table.features is not None
    assert table.state is not None
    for seen, situation in ((long.observations, game), (long.last_observation, last)):
        assert seen.features is not None
        assert seen.state is not None
        assert torch.equal(seen.features, table.features[situation])
        assert torch.equal(seen.state, table.state[situation])
    # Row t E + e is game e at step t.
    values = torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(1))
    assert torch.equal(long.spread(values[game.flatten()]), short.spread(values))
    rows = long.rows().features
    assert rows is not None
    assert torch.equal(rows, table.features[game.flatten()])


def test_without_situations_nothing_is_looked_up() -> None:
    seen = Observation(features=torch.zeros(1, 2, 3))
    assert seen.look_up(Observation(features=torch.ones(1, 2, 3))) is seen


def test_map_and_stack_leave_out_what_is_not_there() -> None:
    seen = Observation(
        features=torch.ones(1, 2, 3), alive=torch.ones(1, 2, dtype=torch.bool)
    )
    twice = seen.map(lambda value: torch.cat([value, value]))
    assert twice.features is not None
    assert twice.features.shape == (2, 2, 3)
    assert twice.state is None
    stacked = Observation.stack([seen, seen, seen])
    assert stacked.alive is not None
    assert stacked.alive.shape == (3, 1, 2)
    assert stacked.entities is None
