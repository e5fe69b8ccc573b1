"""The rules of ADCA, compared with the same rules written for one fighter at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.distances import measure
from marl_envs.adca.opponent import Orders, give_orders
from marl_envs.adca.physics import WALL, action_forces, ground, move, wall_force, wrap
from marl_envs.adca.rules import advance, verdict
from marl_envs.adca.weapon import Fire, fire
from tests.support.adca_battles import config, generator, scattered, seeds, teams


def _hits(battle: Battle, shooter: int, target: int) -> bool:
    """The rule for one pair in the first battle, by angles, as in the authors' program."""
    if not (battle.alive[0, shooter] and battle.alive[0, target]):
        return False
    (x, y) = (battle.position[0, :, target] - battle.position[0, :, shooter]).tolist()
    reach, heading, opening = (
        0.4 * float(battle.terrain[0, shooter]),
        float(battle.heading[0, shooter]),
        math.pi / 4,
    )

    def wrapped(angle: float) -> float:
        return (angle + math.pi) % (2 * math.pi) - math.pi

    bearing = math.atan2(y, x)
    left, right = (
        wrapped(heading + opening / 2 - bearing),
        wrapped(heading - opening / 2 - bearing),
    )
    return (
        x * x + y * y <= reach * reach
        and abs(left) <= opening
        and abs(right) <= opening
    )


@given(seed=seeds(), sizes=teams())
@settings(max_examples=30)
def test_fire_pair_by_pair(seed: int, sizes: tuple[int, int]) -> None:
    """Every death has a shooter, every shooter that hits has a victim, and shots fall at once."""
    guards, fighters = sizes[0], sum(sizes)
    battle = scattered(seed, fighters, 0.5)
    shots = fire(battle, measure(battle, guards))
    for one in range(fighters):
        enemies = range(guards, fighters) if one < guards else range(guards)
        assert bool(shots.hit[0, one]) == any(
            _hits(battle, one, other) for other in enemies
        )
        assert bool(shots.was_hit[0, one]) == any(
            _hits(battle, other, one) for other in enemies
        )


def test_the_fan_and_the_reach() -> None:
    """Targets straight ahead, at the edges of the fan and at the end of the reach.

    Only the ground under the shooter counts.
    """
    angles = torch.tensor([0.0, 0.39, 0.40, -0.39, -0.40, 0.0, 0.0, math.pi])
    distance = torch.tensor([0.2, 0.2, 0.2, 0.2, 0.2, 0.399, 0.401, 0.2])
    games = len(angles)
    towards = torch.stack([angles.cos(), angles.sin()], dim=1) * distance.unsqueeze(-1)
    for heading in (0.0, 3.1, -3.1, 7.0):
        turn = torch.tensor(
            [
                [math.cos(heading), -math.sin(heading)],
                [math.sin(heading), math.cos(heading)],
            ]
        )
        position = torch.stack([torch.zeros_like(towards), towards @ turn.T], dim=2)
        battle = Battle(
            alive=torch.ones(games, 2, dtype=torch.bool),
            position=position,
            velocity=torch.zeros_like(position),
            heading=torch.tensor([heading, heading]).expand(
                games, 2
            ),  # the target looks away
            terrain=torch.tensor([1.0, 0.1]).expand(games, 2),
            theta=torch.zeros(games),
            clock=torch.zeros(games, dtype=torch.int64),
            key=torch.zeros(games, dtype=torch.int64),
        )
        shots = fire(battle, measure(battle, 1))
        assert shots.hit[:, 0].tolist() == [
            True,
            True,
            False,
            True,
            False,
            True,
            False,
            False,
        ]
        assert torch.equal(shots.was_hit[:, 1], shots.hit[:, 0])


@given(seed=seeds(), sizes=teams())
@settings(max_examples=30)
def test_motion_one_by_one(seed: int, sizes: tuple[int, int]) -> None:
    """Velocity, speed limit, position and turn; the dead and the killed stay as they are."""
    guards, fighters = sizes[0], sum(sizes)
    battle = scattered(seed, fighters, 5.2)
    near = measure(battle, guards)
    orders = give_orders(battle, near)
    actions = torch.randint(0, 7, (1, guards), generator=generator(seed))
    after, shots = advance(battle, actions, orders, near, terrain=True)
    thrusts = {1: (3.0, 0.0), 2: (-3.0, 0.0), 3: (0.0, 3.0), 4: (0.0, -3.0)}
    for one in range(fighters):
        if shots.was_hit[0, one] or not battle.alive[0, one]:
            assert not after.alive[0, one]
            assert torch.equal(after.position[0, :, one], battle.position[0, :, one])
            assert torch.equal(after.velocity[0, :, one], battle.velocity[0, :, one])
            if one < guards or not battle.alive[0, one]:
                assert after.heading[0, one] == battle.heading[0, one]
            continue
        own = one < guards
        force = (
            thrusts.get(int(actions[0, one]), (0.0, 0.0))
            if own
            else orders.acceleration[0, :, one - guards]
        )
        new = []
        for axis in range(2):
            at = float(battle.position[0, axis, one])
            push = 100 * (max(0.0, -(at + 4.95)) - max(0.0, -(4.95 - at)))
            new.append(
                0.75 * float(battle.velocity[0, axis, one])
                + 0.1 * (float(force[axis]) + push)
            )
        speed = math.hypot(*new)
        new = [v / max(1.0, speed) for v in new]
        assert after.velocity[0, :, one].tolist() == pytest.approx(new, abs=1e-12)
        assert (after.position - battle.position)[0, :, one].tolist() == pytest.approx(
            [0.1 * v for v in new], abs=1e-12
        )
        turn = {5: 0.17, 6: -0.17}.get(int(actions[0, one]), 0.0) if own else 0.0
        aimed = (
            float(battle.heading[0, one])
            if own
            else float(orders.heading[0, one - guards])
        )
        assert float(after.heading[0, one]) == pytest.approx(
            (aimed + turn + math.pi) % (2 * math.pi) - math.pi
        )


@given(seed=seeds())
def test_the_wall_is_the_limit_of_the_softplus(seed: int) -> None:
    position = scattered(seed, 8, 6.0).position
    low, high = position + WALL, WALL - position

    def softplus(z: Tensor) -> Tensor:
        return 1e-10 * torch.logaddexp(torch.zeros_like(z), z / 1e-10)

    torch.testing.assert_close(
        wall_force(position),
        100 * (softplus(-low) - softplus(-high)),
        rtol=0,
        atol=1e-7,
    )
    inside = (position.abs() < WALL).all(1)
    assert (wall_force(position).mT[inside] == 0).all()


@given(seed=seeds(), thrust=st.floats(0, 3))
@settings(max_examples=15)
def test_the_wall_keeps_everybody_in(seed: int, thrust: float) -> None:
    """Nobody gets further than a quarter of a unit beyond the wall, and those beyond it return."""
    start = scattered(seed, 10, 5.4)
    position, velocity = start.position, start.velocity
    for step in range(150):
        direction = torch.rand(
            position.shape, generator=generator(seed + step), dtype=torch.float64
        ).round()
        outwards = (
            torch.where(direction > 0, position.sign(), -position.sign())
            if step % 3 == 0
            else position.sign()
        )
        position, velocity = move(
            position, velocity, thrust * outwards, torch.ones(1, 10, dtype=torch.bool)
        )
        assert (
            position.abs()
            <= torch.maximum(start.position.abs(), torch.tensor(WALL)) + 0.25
        ).all()
        assert (velocity.square().sum(1) <= 1 + 1e-12).all()
    assert (position.abs() <= WALL + 0.25).all()


@given(seed=seeds())
def test_the_ground(seed: int) -> None:
    """The formula for one fighter at a time; it is periodic along the axes and has a maximum."""
    battle = scattered(seed, 5, 6.0)
    theta = float(battle.theta)
    for one in range(5):
        x, y = battle.position[0, :, one].tolist()
        u, v = (
            x * math.cos(theta) + y * math.sin(theta),
            -x * math.sin(theta) + y * math.cos(theta),
        )
        wanted = 1 - 0.2 * ((0.1 * u) ** 2 + (0.1 * v) ** 2)
        wanted += 0.15 * math.cos(0.6 * math.pi * u) + 0.15 * math.cos(math.pi * v)
        assert float(ground(battle.position, battle.theta)[0, one]) == pytest.approx(
            wanted, abs=1e-12
        )


def test_without_terrain_the_ground_does_not_matter() -> None:
    battle = replace(
        scattered(0, 9, 0.5), terrain=torch.ones(1, 9, dtype=torch.float64)
    )
    near = measure(battle, 4)
    after, _ = advance(
        battle,
        torch.zeros(1, 4, dtype=torch.int64),
        give_orders(battle, near),
        near,
        terrain=False,
    )
    assert torch.equal(after.terrain, battle.terrain)


def test_actions() -> None:
    force, turn = action_forces(torch.arange(7).unsqueeze(0), torch.float64)
    assert force[0].T.tolist() == [
        [0, 0],
        [3, 0],
        [-3, 0],
        [0, 3],
        [0, -3],
        [0, 0],
        [0, 0],
    ]
    assert turn[0].tolist() == pytest.approx([0, 0, 0, 0, 0, 0.17, -0.17])


#: Each action after a quarter turn to the left: +x becomes +y, -x becomes -y, +y becomes -x, and
#: -y becomes +x.
_QUARTER = torch.tensor([0, 3, 4, 2, 1, 5, 6])


def _quarter_turn(vectors: Tensor) -> Tensor:
    return torch.stack([-vectors[:, 1], vectors[:, 0]], dim=1)


def _turned(battle: Battle) -> Battle:
    return replace(
        battle,
        position=_quarter_turn(battle.position),
        velocity=_quarter_turn(battle.velocity),
        heading=wrap(battle.heading + math.pi / 2),
        theta=battle.theta + math.pi / 2,
    )


def _same_angles(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(
        wrap(one - other), torch.zeros_like(one), rtol=0, atol=1e-9
    )


@given(seed=seeds(), sizes=teams(), extent=st.sampled_from([0.7, 2.0, 5.2]))
@settings(max_examples=30)
def test_the_world_has_no_preferred_direction(
    seed: int, sizes: tuple[int, int], extent: float
) -> None:
    """Battles turned by a right angle, actions and orders turned with them, go on turned.

    The script aims alike in both. Its rings of places do not turn: their first place is always at
    +x.
    """
    guards = sizes[0]
    plain = scattered(seed, sum(sizes), extent)
    turned = _turned(plain)
    for step in range(3):
        near, near_turned = measure(plain, guards), measure(turned, guards)
        orders, own = give_orders(plain, near), give_orders(turned, near_turned)
        _same_angles(own.heading, orders.heading + math.pi / 2)
        actions = torch.randint(0, 7, (1, guards), generator=generator(seed + step))
        plain, shots = advance(plain, actions, orders, near, terrain=True)
        orders_turned = Orders(_quarter_turn(orders.acceleration), own.heading)
        turned, shots_turned = advance(
            turned, _QUARTER[actions], orders_turned, near_turned, terrain=True
        )
        assert torch.equal(shots.hit, shots_turned.hit)
        assert torch.equal(shots.was_hit, shots_turned.was_hit)
        wanted = _turned(plain)
        for name in ("position", "velocity", "terrain"):
            torch.testing.assert_close(
                getattr(turned, name), getattr(wanted, name), rtol=0, atol=1e-9
            )
        _same_angles(turned.heading, wanted.heading)


@pytest.mark.parametrize(
    ("ours", "theirs", "clock", "over", "won"),
    [
        (2, 3, 5, False, False),
        (2, 0, 5, True, True),
        (0, 3, 5, True, False),
        (0, 0, 5, True, True),
        (0, 0, 9, True, True),
        (2, 3, 9, True, True),  # 2 of 4 against 3 of 6: a draw is a win
        (1, 2, 9, True, False),
        (2, 2, 9, True, True),
        (4, 6, 9, True, True),
        (4, 6, 8, False, False),
    ],
)
def test_verdicts(ours: int, theirs: int, clock: int, over: bool, won: bool) -> None:
    """4 guards against 6, ten steps."""
    alive = torch.cat([torch.arange(4) < ours, torch.arange(6) < theirs]).unsqueeze(0)
    battle = replace(scattered(0, 10, 1.0), alive=alive, clock=torch.tensor([clock]))
    hit, was_hit = (
        torch.zeros(1, 10, dtype=torch.bool),
        torch.zeros(1, 10, dtype=torch.bool),
    )
    hit[0, :2], was_hit[0, 1:3] = True, True
    for half, loss in ((True, 0.5), (False, 1.0)):
        settings_ = config(
            agents=4, attackers=6, max_steps=10, half_death_reward=half, win_bonus=2.0
        )
        end = verdict(battle, Fire(hit, was_hit), settings_)
        assert (bool(end.over), bool(end.won)) == (over, won)
        bonus = 2.0 if won else 0.0
        assert end.reward[0].tolist() == [
            1 + bonus,
            1 - loss + bonus,
            -loss + bonus,
            bonus,
        ]


def test_orders_of_the_dead_do_nothing() -> None:
    battle = scattered(3, 12, 1.0)
    near = measure(battle, 5)
    actions, orders = torch.zeros(1, 5, dtype=torch.int64), give_orders(battle, near)
    wild = Orders(
        torch.where(battle.alive[:, None, 5:], orders.acceleration, 7.0),
        torch.where(battle.alive[:, 5:], orders.heading, 1.0),
    )
    plain, _ = advance(battle, actions, orders, near, terrain=True)
    other, _ = advance(
        battle, torch.where(battle.alive[:, :5], actions, 3), wild, near, terrain=True
    )
    for name, value in vars(plain).items():
        assert torch.equal(value, getattr(other, name)), name
