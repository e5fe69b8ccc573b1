"""How ADCA's battles begin, by the rules and by recorded resets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from marl_core.testing.checking import SIGMAS
from marl_envs.adca.physics import ground, wrap
from marl_envs.adca.reset import deploy
from tests.support.adca_battles import generator
from tests.support.adca_golden import starts

SIZES = [("50v60", 50, 60), ("50v75", 50, 75), ("40v44", 40, 44)]


@dataclass(frozen=True)
class Chance:
    """What is left of a start without its rules: noise of positions and headings, and angles."""

    position: Tensor
    heading: Tensor
    theta: Tensor


def _taken_apart(
    theta: Tensor, position: Tensor, heading: Tensor, guards: int, attackers: int
) -> Chance:
    """Turn back, undo the ranks, take away the lines. ``position`` is [E, fighters, 2]."""
    cos, sin = theta.cos().unsqueeze(-1), theta.sin().unsqueeze(-1)
    x, y = position.unbind(-1)
    position = torch.stack([x * cos + y * sin, -x * sin + y * cos], dim=-1)
    for index in range(guards + attackers):
        own = index < guards
        team, rank = (guards, index) if own else (attackers, index - guards)
        scale = (0.5, 0.75, 1.0)[index % 3] if team > 48 else 1.0
        line = torch.tensor([-2.0 if own else 2.0, 10 / team * (rank + 0.5) - 5])
        position[:, index] = position[:, index] / scale - line
    facing = torch.where(torch.arange(guards + attackers) < guards, 0.0, math.pi)
    return Chance(position, wrap(heading - theta.unsqueeze(-1) - facing), theta)


def _check(chance: Chance) -> None:
    noise = (chance.position + 0.05) / 0.1
    count = noise.numel()
    assert abs(float(noise.mean())) < SIGMAS / count**0.5
    assert abs(float(noise.var()) - 1) < SIGMAS * (2 / count) ** 0.5
    assert (
        abs(float((noise.abs() < 1).double().mean()) - 0.6827)
        < SIGMAS * (0.22 / count) ** 0.5
    )
    assert (
        abs(float((noise[..., 0] * noise[..., 1]).mean())) < SIGMAS / (count / 2) ** 0.5
    )
    turn = chance.heading * 24
    assert turn.abs().max() <= 1 + 1e-4
    assert abs(float(turn.mean())) < SIGMAS / (3 * turn.numel()) ** 0.5
    assert (
        abs(float(turn.square().mean()) - 1 / 3)
        < SIGMAS * (4 / 45 / turn.numel()) ** 0.5
    )
    for harmonic in (1, 2):
        assert float(
            torch.polar(torch.ones_like(chance.theta), harmonic * chance.theta)
            .mean()
            .abs()
        ) < (SIGMAS / len(chance.theta) ** 0.5)


@pytest.mark.parametrize(("sizes", "guards", "attackers"), SIZES)
def test_starts_and_recorded_starts_follow_one_law(
    sizes: str, guards: int, attackers: int
) -> None:
    recorded = starts(sizes)
    _check(
        _taken_apart(
            recorded["theta"], recorded["pos"], recorded["heading"], guards, attackers
        )
    )
    own = deploy(
        torch.randint(0, 2**62, (300,), generator=generator(0)),
        guards,
        attackers,
        terrain=True,
    )
    theta, position, heading = (
        value.double() for value in (own.theta, own.position.mT, own.heading)
    )
    assert position.shape[1:] == recorded["pos"].shape[1:]
    assert (theta.abs() <= math.pi).all()
    _check(_taken_apart(theta, position, heading, guards, attackers))
    assert own.alive.all()
    assert not own.velocity.any()
    assert not own.clock.any()
    torch.testing.assert_close(own.terrain, ground(own.position, own.theta))


def test_a_start_is_a_function_of_its_key() -> None:
    key = torch.randint(0, 2**62, (9,), generator=generator(0))
    together, alone = (
        deploy(key, 5, 6, terrain=False),
        deploy(key[3:4], 5, 6, terrain=False),
    )
    for name, value in vars(together).items():
        torch.testing.assert_close(value[3:4], getattr(alone, name), rtol=0, atol=1e-6)
    assert (together.terrain == 1).all()
    assert len(set(together.theta.tolist())) == 9
