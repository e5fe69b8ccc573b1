"""Shapes, types and finite numbers of what an environment gives."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.protocols import Environment
from marl_core.testing.play import write_out
from marl_core.types import EnvironmentSpec, Observation, StepResult

#: What may be left out: without a mask every entity is there.
_OPTIONAL = {"entity_mask"}
_BOOLEAN = {"entity_mask", "action_mask", "alive", "terminated", "truncated", "won"}
_INTEGER = {"row", "level"}


def expected_shapes(spec: EnvironmentSpec, games: int) -> dict[str, tuple[int, ...]]:
    """The shapes of what agents see once it is written out; what is not here must not be given.

    Args:
        spec: what the environment promises.
        games: E, how many games it plays.
    """
    team = (games, spec.agents)
    shapes: dict[str, tuple[int, ...]] = {}
    if spec.features is not None:
        shapes["features"] = (*team, spec.features)
    if spec.entities is not None:
        shapes["entities"] = (*team, *spec.entities)
        shapes["entity_mask"] = (*team, spec.entities[0])
    if spec.state_features is not None:
        shapes["state"] = (games, spec.state_features)
    if spec.action_masks:
        shapes["action_mask"] = (*team, spec.actions)
    if spec.agents_die:
        shapes["alive"] = team
    if spec.table_rows is not None:
        shapes["row"] = team
    return shapes


def check_observation(
    environment: Environment,
    seen: Observation,
    games: int,
) -> None:
    """See that agents see what the spec promises, no less and no more.

    Args:
        environment: whose spec it is.
        seen: what its agents see.
        games: E, how many games it plays.

    Raises:
        AssertionError: they do not.
    """
    _check_entity_rows(seen)
    shapes = expected_shapes(environment.spec, games)
    given = write_out(environment, seen).tensors()
    if seen.row is not None:
        given["row"] = seen.row
    for name in shapes.keys() - given.keys() - _OPTIONAL:
        raise AssertionError(f"the spec promises {name}, but the observation has none")
    for name, value in given.items():
        assert name in shapes, (
            f"the observation has {name}, which the spec does not promise"
        )
        _check_tensor(name, value, shapes[name])


def _check_entity_rows(seen: Observation) -> None:
    """Entities in one form alone, and indices that point to rows."""
    rows = seen.entity_rows
    index = seen.entity_index
    assert (rows is None) == (index is None), (
        "entity_rows and entity_index do not go together"
    )
    if rows is None or index is None:
        return
    assert seen.entities is None, (
        "entities are given twice: for every agent and as rows"
    )
    count = rows.shape[-2]
    inside = (index >= 0) & (index < count)
    assert inside.all(), f"entity_index goes beyond 0..{count - 1}"


def check_outcome(
    environment: Environment,
    result: StepResult,
    games: int,
) -> None:
    """See that a step gives what the spec promises, beside the observation.

    Args:
        environment: whose spec it is.
        result: what came of the step.
        games: E, how many games it plays.

    Raises:
        AssertionError: it does not.
    """
    spec = environment.spec
    shapes = _outcome_shapes(spec, games)
    every = vars(result).items()
    given = {name: value for name, value in every if isinstance(value, Tensor)}
    assert given.keys() == shapes.keys(), (
        f"a step gives {sorted(given)}, the spec promises {sorted(shapes)}"
    )
    for name, value in given.items():
        _check_tensor(name, value, shapes[name])
    if result.level is not None:
        inside = (result.level >= 0) & (result.level < len(spec.levels))
        assert inside.all(), "a step names a level that spec.levels does not have"
    if result.won is not None:
        too_early = result.won & ~result.ended
        assert not too_early.any(), "a game is won that is not over"


def _outcome_shapes(spec: EnvironmentSpec, games: int) -> dict[str, tuple[int, ...]]:
    always = ("team_reward", "terminated", "truncated")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        always,
        (games,),
    )
    if spec.individual_reward:
        shapes["individual_reward"] = (games, spec.agents)
    if spec.levels:
        shapes["level"] = (games,)
    if spec.wins:
        shapes["won"] = (games,)
    return shapes


def _check_tensor(
    name: str,
    value: Tensor,
    expected: tuple[int, ...],
) -> None:
    shape = tuple(value.shape)
    assert shape == expected, f"{name} has shape {shape}, not {expected}"
    _check_type(name, value)


def _check_type(name: str, value: Tensor) -> None:
    found = value.dtype
    if name in _BOOLEAN:
        assert found == torch.bool, f"{name} has type {found}, not bool"
    elif name in _INTEGER:
        assert found == torch.int64, f"{name} has type {found}, not int64"
    else:
        assert found == torch.float32, f"{name} has type {found}, not float32"


def check_finite(values: dict[str, Tensor]) -> None:
    """See that there is no NaN and no infinity.

    Args:
        values: tensors by name.

    Raises:
        AssertionError: there is one.
    """
    for name, value in values.items():
        assert value.isfinite().all(), f"{name} is not finite"


def check_device(values: dict[str, Tensor], device: torch.device) -> None:
    """See that tensors are on a device.

    Args:
        values: tensors by name.
        device: where they are to be.

    Raises:
        AssertionError: one is elsewhere.
    """
    for name, value in values.items():
        found = value.device
        same_place = found.type == device.type and device.index in (None, found.index)
        assert same_place, f"{name} is on {found}, not on {device}"
