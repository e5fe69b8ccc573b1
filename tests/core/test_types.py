"""Observations, batches of tensors, and what a rollout knows of its own fields."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from marl_core.types import Observation, Progress, Rollout, StepResult
from marl_core.types.batch import map_tensors, stack_tensors
from marl_core.types.rollout import GAME_FIELDS, STEP_FIELDS, has_steps

STEPS = 2
GAMES = 3
AGENTS = 2


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


def test_map_and_stack_of_any_kind_of_value() -> None:
    seen = Observation(features=torch.ones(1, 2, 3))
    memory = {"step": torch.ones(1)}
    assert map_tensors(None, torch.neg) is None
    assert torch.equal(map_tensors(torch.ones(2), torch.neg), -torch.ones(2))
    assert torch.equal(map_tensors(memory, torch.neg)["step"], -torch.ones(1))
    assert torch.equal(map_tensors(seen, torch.neg).features, -torch.ones(1, 2, 3))
    assert stack_tensors([None, None]) is None
    assert stack_tensors([torch.ones(2), torch.ones(2)]).shape == (2, 2)
    assert stack_tensors([memory, memory])["step"].shape == (2, 1)
    assert stack_tensors([seen, seen]).features.shape == (2, 1, 2, 3)


def rollout() -> Rollout:
    """A rollout that has everything; every entry of a field is different."""
    shape = (STEPS, GAMES)
    numbers = torch.arange(float(STEPS * GAMES)).view(shape)
    own = numbers.unsqueeze(-1).expand(*shape, AGENTS)
    return Rollout(
        observations=Observation(features=own.unsqueeze(-1), alive=own > 1),
        last_observation=Observation(features=own[0].unsqueeze(-1), alive=own[0] > 1),
        actions=own.long(),
        reward=own,
        team_reward=numbers,
        terminated=numbers > 2,
        truncated=numbers > 4,
        valid=numbers > 0,
        component=numbers.long(),
        progress=Progress(episodes=7),
        memory={"step": numbers},
        last_memory={"step": numbers[0]},
        level=numbers.long(),
        won=numbers > 3,
    )


def test_every_field_with_tensors_says_which_axes_they_have() -> None:
    """A field that is forgotten would be left out by the replay and by games started anew."""
    leading = {"T E": (STEPS, GAMES), "E": (GAMES,)}
    whole = rollout()
    for axes, names in (("T E", STEP_FIELDS), ("E", GAME_FIELDS)):
        for name in names:
            shapes: list[torch.Size] = []

            def keep(value: Tensor, shapes: list[torch.Size] = shapes) -> Tensor:
                shapes.append(value.shape)
                return value

            map_tensors(getattr(whole, name), keep)
            assert shapes, f"{name} holds no tensor"
            for shape in shapes:
                assert shape[: len(leading[axes])] == leading[axes], name
    others = {one.name for one in fields(Rollout)} - {*STEP_FIELDS, *GAME_FIELDS}
    assert others == {"progress", "table", "pieces"}


def test_a_rollout_is_made_of_its_tensors() -> None:
    whole = rollout()
    tensors = whole.tensors()
    again = Rollout.from_tensors(tensors, whole.progress, None)
    assert again.progress == whole.progress
    assert again.memory is None
    assert again.tensors().keys() == tensors.keys()
    assert all(again.tensors()[name] is value for name, value in tensors.items())
    assert has_steps("observations.features")
    assert has_steps("won")
    assert not has_steps("last_observation.features")


def test_map_steps_changes_all_that_has_steps() -> None:
    """Games in another order, and one step less."""
    whole = rollout()
    order = torch.tensor([2, 0, 1])

    def changed(value: Tensor) -> Tensor:
        return value[1:, order]

    last = Observation(features=torch.zeros(GAMES, AGENTS, 1))
    mapped = whole.map_steps(changed, changed(whole.valid), last, None)
    assert mapped.last_observation is last
    assert mapped.last_memory is None
    for name, value in whole.tensors().items():
        if has_steps(name):
            assert torch.equal(mapped.tensors()[name], changed(value)), name
    assert mapped.memory is not None
    assert whole.memory is not None
    assert torch.equal(mapped.memory["step"], changed(whole.memory["step"]))


def test_a_game_ends_in_two_ways() -> None:
    terminated = torch.tensor([True, False, False])
    truncated = torch.tensor([False, True, False])
    seen = Observation(features=torch.zeros(3, 1, 1))
    result = StepResult(seen, torch.zeros(3), terminated, truncated)
    assert result.ended.tolist() == [True, True, False]
    whole = rollout()
    assert torch.equal(whole.ended, whole.terminated | whole.truncated)
