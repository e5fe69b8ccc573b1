"""Is an exported program the policy that it was made from?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from marl_core.errors import UserError
from marl_core.export.formats import Runner
from marl_core.export.team_program import (
    GREEDY,
    MEMORY,
    NEXT_MEMORY,
    PROBABILITIES,
    SEEN,
)
from marl_core.rng import generator

#: How far apart the two may be: both compute in the same precision, in another order.
TOLERANCE = 1e-4
#: Numbers of games, none of which is the one that the program was made with; and steps in each.
GAMES, STEPS = (1, 7), 4


def check_parity(
    policy: Runner, exported: Runner, inputs: Mapping[str, Tensor]
) -> None:
    """Compare two programs on random observations, over some steps with their own memories.

    Args:
        policy: what the exported one is to be.
        exported: the other.
        inputs: what both take at the beginning of an episode, by name; says shapes and types.

    Raises:
        UserError: they disagree. It says in what, and by how much.
    """
    for games in GAMES:
        first = {name: _repeated(value, games) for name, value in inputs.items()}
        memories = [
            {name: value for name, value in first.items() if name.startswith(MEMORY)}
        ] * 2
        for step in range(STEPS):
            seen = random_observation(first, seed=games * STEPS + step)
            outputs = [
                run({name: {**seen, **memory}[name] for name in inputs})
                for run, memory in zip((policy, exported), memories, strict=True)
            ]
            _compare(*outputs)
            memories = [_following(found) for found in outputs]


def random_observation(inputs: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Any observation of the same shape.

    Args:
        inputs: of a program, by name; what is no part of an observation is left out.
        seed: of the numbers.

    Returns:
        Normal numbers, and masks that are set half of the time. The first entity, which is the
        agent itself, is always there.
    """
    random = generator("cpu", seed, "parity")
    found = {}
    for name in SEEN:
        if name not in inputs:
            continue
        like = inputs[name]
        if like.dtype == torch.bool:
            value = torch.rand(like.shape, generator=random) < 0.5
        else:
            value = 2 * torch.randn(like.shape, generator=random).to(like.dtype)
        if name == "entity_mask":
            value[..., 0] = True
        found[name] = value
    return found


def _repeated(value: Tensor, games: int) -> Tensor:
    return value[:1].expand(games, *value.shape[1:]).clone()


def _following(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The memory for the next step, by the names of inputs."""
    return {
        MEMORY + name.removeprefix(NEXT_MEMORY): value
        for name, value in outputs.items()
        if name.startswith(NEXT_MEMORY)
    }


def _compare(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    for name, value in one.items():
        if name != GREEDY:
            _expect_close(name, _distance(value, other[name]))
    # Where two actions are as probable up to rounding, either may be the greedy one.
    probabilities = one[PROBABILITIES]
    chosen = probabilities.gather(-1, other[GREEDY].unsqueeze(-1)).squeeze(-1)
    _expect_close(GREEDY, _distance(probabilities.amax(-1), chosen))


def _distance(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    if one.numel() == 0:
        return 0.0
    return float((one.double() - other.double()).abs().max())


def _expect_close(name: str, distance: float) -> None:
    if not distance <= TOLERANCE:  # NaN is not close, either
        message = f"the exported policy is not the run's: '{name}' is off by"
        raise UserError(f"{message} {distance:.2g} on random observations")
