"""Shapes, types and finite numbers of what an environment gives."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.protocols import Environment
from marl_core.testing.play import write_out
from marl_core.types import EnvironmentSpec, Observation, StepResult

_OPTIONAL = {"entity_mask"}  # None: every entity is there
_BOOLEAN = {"entity_mask", "action_mask", "alive", "terminated", "truncated", "won"}
_INTEGER = {"row", "level"}


def expected_shapes(spec: EnvironmentSpec, games: int) -> dict[str, tuple[int, ...]]:
    """The shapes of what agents see once it is written out; what is not here must not be given."""
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


def check_observation(environment: Environment, seen: Observation, games: int) -> None:
    """What agents see is what the spec promises, no less and no more."""
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
        assert value.shape == shapes[name], (
            f"{name} has shape {tuple(value.shape)}, not {shapes[name]}"
        )
        _check_type(name, value)


def check_outcome(environment: Environment, result: StepResult, games: int) -> None:
    """What a step gives beside the observation is what the spec promises."""
    spec = environment.spec
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("team_reward", "terminated", "truncated"), (games,)
    )
    if spec.individual_reward:
        shapes["individual_reward"] = (games, spec.agents)
    if spec.levels:
        shapes["level"] = (games,)
    if spec.wins:
        shapes["won"] = (games,)
    given = {
        name: value for name, value in vars(result).items() if isinstance(value, Tensor)
    }
    assert given.keys() == shapes.keys(), (
        f"a step gives {sorted(given)}, the spec promises {sorted(shapes)}"
    )
    for name, value in given.items():
        assert value.shape == shapes[name], (
            f"{name} has shape {tuple(value.shape)}, not {shapes[name]}"
        )
        _check_type(name, value)
    if result.level is not None:
        inside = (result.level >= 0) & (result.level < len(spec.levels))
        assert inside.all(), "a step names a level that spec.levels does not have"
    if result.won is not None:
        assert not (result.won & ~result.ended).any(), "a game is won that is not over"


def _check_type(name: str, value: Tensor) -> None:
    if name in _BOOLEAN:
        assert value.dtype == torch.bool, f"{name} has type {value.dtype}, not bool"
    elif name in _INTEGER:
        assert value.dtype == torch.int64, f"{name} has type {value.dtype}, not int64"
    else:
        assert value.dtype.is_floating_point, (
            f"{name} has type {value.dtype}, not a floating-point one"
        )


def check_finite(values: dict[str, Tensor]) -> None:
    """No NaN and no infinity."""
    for name, value in values.items():
        assert value.isfinite().all(), f"{name} is not finite"
