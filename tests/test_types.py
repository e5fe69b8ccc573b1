"""Observations: which actions are legal, and what a table says."""

from __future__ import annotations

import torch

from marl_core.types import Observation


def test_legal_actions() -> None:
    """Of the agents: one free, one restricted, one without any legal action, one dead."""
    mask = torch.tensor([[[True, True], [False, True], [False, False], [True, True]]])
    alive = torch.tensor([[True, True, True, False]])
    legal = Observation(action_mask=mask, alive=alive).legal_actions()
    assert legal is not None
    assert legal.int().tolist() == [[[1, 1], [0, 1], [1, 0], [1, 0]]]


def test_legal_actions_where_everybody_lives() -> None:
    legal = Observation(action_mask=torch.tensor([[False, False, False], [False, True, False]])).legal_actions()
    assert legal is not None
    assert legal.int().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_without_a_mask_everything_is_legal() -> None:
    assert Observation(features=torch.zeros(1, 2, 3)).legal_actions() is None


def test_look_up() -> None:
    """Agent i in situation m sees row [m, i]; what the table does not hold stays as it is."""
    table = Observation(features=torch.arange(6.0).view(3, 2, 1), action_mask=torch.arange(12).view(3, 2, 2) % 3 > 0)
    state, situation = torch.zeros(2, 4), torch.tensor([[2, 0], [1, 1]])
    seen = Observation(state=state, situation=situation).look_up(table)
    assert seen.features is not None
    assert seen.features.squeeze(-1).tolist() == [[4.0, 1.0], [2.0, 3.0]]
    assert seen.action_mask is not None
    assert seen.action_mask.int().tolist() == [[[1, 0], [1, 0]], [[1, 1], [0, 1]]]
    assert seen.state is state


def test_without_situations_nothing_is_looked_up() -> None:
    seen = Observation(features=torch.zeros(1, 2, 3))
    assert seen.look_up(Observation(features=torch.ones(1, 2, 3))) is seen


def test_map_and_stack_leave_out_what_is_not_there() -> None:
    seen = Observation(features=torch.ones(1, 2, 3), alive=torch.ones(1, 2, dtype=torch.bool))
    twice = seen.map(lambda value: torch.cat([value, value]))
    assert twice.features is not None
    assert twice.features.shape == (2, 2, 3)
    assert twice.state is None
    stacked = Observation.stack([seen, seen, seen])
    assert stacked.alive is not None
    assert stacked.alive.shape == (3, 1, 2)
    assert stacked.entities is None
