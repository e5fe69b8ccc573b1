"""ADCA as an environment: the protocol, what guards see, and what holds in every battle."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from pydantic import ValidationError
from torch import Tensor

from marl_core.construction import build_environment
from marl_core.entity_rows import write_out_entities
from marl_core.errors import UserError
from marl_core.testing import ENVIRONMENT_CHECKS, EnvironmentCase
from marl_core.testing.checking import SIGMAS, counts_agree
from marl_envs.adca import ADCA, ADCAConfig, reset
from marl_envs.adca.distances import measure
from marl_envs.adca.draws import GRAIN, Purpose
from marl_envs.adca.observation import observe
from tests.support.adca_battles import (
    config,
    environment,
    generator,
    scattered,
    seeds,
    teams,
)

#: Few fighters and few steps: the checks play hundreds of battles.
SETTINGS: list[dict[str, Any]] = [
    {"agents": 7, "attackers": 9, "max_steps": 6},
    {
        "agents": 2,
        "attackers": 1,
        "max_steps": 4,
        "terrain": False,
        "shuffle_neighbours": False,
    },
]


@pytest.mark.parametrize(
    "fields",
    [pytest.param(SETTINGS[0], marks=pytest.mark.slow), SETTINGS[1]],
    ids=["small", "tiny"],
)
@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_protocol(check: str, fields: dict[str, Any]) -> None:
    """The small one is much like the one that all environments are tried with."""
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(ADCA, config(**fields))))


@pytest.mark.parametrize(
    "check", ["the_dead_stay_dead", "state_dict_continues_exactly"]
)
def test_protocol_where_guards_die(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two lines are so near each other that the first step is deadly."""
    monkeypatch.setattr(reset, "FRONT", 0.1)
    fields = {"agents": 7, "attackers": 9, "max_steps": 6}
    arena = environment(16, 0, **fields)
    arena.reset()
    result = arena.step(torch.zeros(16, 7, dtype=torch.int64))
    assert result.observation.alive is not None
    assert not result.observation.alive.all()
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(ADCA, config(**fields))))


def test_it_is_found_by_its_name() -> None:
    built = build_environment(config(), games=1, device="cpu", generator=generator(0))
    assert type(built).__name__ == "ADCA"
    assert (built.spec.agents, built.spec.actions, built.spec.entities) == (
        50,
        7,
        (12, 16),
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"agents": 0}, "agents\n.*greater than 0"),
        (
            {"agents": 200, "attackers": 60},
            "at most 256 fighters, found 200 agents and 60 attackers",
        ),
        ({"jam_probability": 1.5}, "jam_probability\n.*less than or equal to 1"),
        ({"fluctuation": 3}, "fluctuation\n.*not permitted"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**fields)


def test_without_warp_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(
        UserError, match=r"needs? NVIDIA Warp: pip install 'policy-resonance\[warp\]'"
    ) as caught:
        environment(kernels="warp")
    assert caught.value.location == ("environment", "kernels")
    environment(kernels="torch")


# What guards see


def _seen(
    fields: dict[str, Any], games: int = 1, seed: int = 0, extent: float = 3.0
) -> tuple[torch.Tensor, ...]:
    settings_ = config(agents=9, attackers=14, **fields)
    battle = scattered(seed, 23, extent, games)
    seen = write_out_entities(observe(battle, measure(battle, 9), settings_))
    assert seen.entities is not None
    assert seen.entity_mask is not None
    return battle.alive, battle.position, seen.entities, seen.entity_mask


@given(seed=seeds(), sizes=teams())
@settings(max_examples=40)
def test_guards_see_the_nearest(seed: int, sizes: tuple[int, int]) -> None:
    """The rows are computed again in plain Python, one guard at a time."""
    guards, fighters = sizes[0], sum(sizes)
    battle = scattered(seed, fighters, 2.5)
    settings_ = config(
        agents=guards, attackers=sizes[1], jam_probability=0, shuffle_neighbours=False
    )
    seen = write_out_entities(observe(battle, measure(battle, guards), settings_))
    assert seen.entities is not None
    assert seen.entity_mask is not None
    distance = torch.cdist(battle.position[0].T, battle.position[0].T)
    for guard in range(guards):
        wanted = torch.zeros(12, 16)
        blocks = ((range(guards), 3.0, 0), (range(guards, fighters), 2.0, 6))
        for team, within, first in blocks if battle.alive[0, guard] else ():
            near = [
                i for i in team if battle.alive[0, i] and distance[guard, i] <= within
            ]
            for rank, other in enumerate(
                sorted(near, key=lambda i: float(distance[guard, i]))[:6]
            ):
                x, y = battle.position[0, :, other].tolist()
                vx, vy = battle.velocity[0, :, other].tolist()
                heading, terrain = (
                    float(battle.heading[0, other]),
                    float(battle.terrain[0, other]),
                )
                bits = [other >> bit & 1 for bit in range(8)]
                wanted[first + rank] = torch.tensor(
                    [1, x, y, heading, vx, vy, other, terrain, *bits]
                )
        assert torch.equal(seen.entities[0, guard], wanted)
        assert torch.equal(seen.entity_mask[0, guard], wanted[:, 0] == 1)


@given(seed=seeds())
@settings(max_examples=20)
def test_shuffling_changes_the_order_alone(seed: int) -> None:
    """The guard itself stays first, missing rows stay last, and each block keeps its rows."""
    _, _, plain, mask = _seen(
        {"jam_probability": 0, "shuffle_neighbours": False}, 5, seed
    )
    _, _, shuffled, same_mask = _seen({"jam_probability": 0}, 5, seed)
    assert torch.equal(mask, same_mask)
    assert torch.equal(plain[:, :, 0], shuffled[:, :, 0])
    for block in (slice(0, 6), slice(6, 12)):
        indices = [seen[:, :, block, 6].sort(-1).values for seen in (plain, shuffled)]
        assert torch.equal(*indices)


def test_all_orders_are_equally_likely() -> None:
    """All pairs of ranks that the nearest two of six enemies get are equally frequent."""
    settings_ = config(agents=40, attackers=10, jam_probability=0)
    battle = scattered(0, 50, 0.5, games=200)
    battle.alive[:] = True
    near = measure(battle, 40)
    entities = write_out_entities(observe(battle, near, settings_)).entities
    assert entities is not None
    nearest = (
        near.attackers_guards.topk(2, dim=0, largest=False).indices.permute(2, 1, 0)
        + 40
    )  # [E, N, 2]
    ranks = (
        (entities[:, :, 6:, 6].unsqueeze(-1) == nearest.unsqueeze(2)).int().argmax(2)
    )
    pairs = (6 * ranks[..., 0] + ranks[..., 1]).flatten()
    counts = torch.bincount(pairs, minlength=36).view(6, 6)
    assert not counts.diagonal().any()
    off = counts[~torch.eye(6, dtype=torch.bool)].tolist()
    assert counts_agree(off, [8000 / 30] * 30)


@pytest.mark.parametrize("shuffle", [True, False])
def test_jamming_hides_each_other_fighter_with_its_probability(shuffle: bool) -> None:
    """The guard itself is never hidden, and the rows that are left were there before."""
    fields = {"shuffle_neighbours": shuffle}
    alive, _, plain, mask = _seen({"jam_probability": 0, **fields}, 400, extent=1.0)
    _, _, jammed, left = _seen({"jam_probability": 0.3, **fields}, 400, extent=1.0)
    assert torch.equal(left[:, :, 0], alive[:, :9])
    for block in (slice(1, 6), slice(6, 12)):
        before, after = mask[:, :, block].sum(-1), left[:, :, block].sum(-1)
        for count in range(1, before.max() + 1):
            hidden = (before - after)[before == count].double()
            if len(hidden) < 50:
                continue
            variance = count * 0.3 * 0.7
            assert (
                abs(float(hidden.mean()) - count * 0.3)
                < SIGMAS * (variance / len(hidden)) ** 0.5
            )
            assert (
                abs(float(hidden.var()) - variance)
                < SIGMAS * variance * (3 / len(hidden)) ** 0.5
            )
    assert torch.equal(jammed, jammed * left.unsqueeze(-1))
    if shuffle:  # the rows that are left come first
        assert torch.equal(
            left[:, :, 6:].int().cummin(-1).values.bool(), left[:, :, 6:]
        )
    else:
        assert torch.equal(jammed, plain * left.unsqueeze(-1))
        hidden_at = (mask & ~left)[mask[:, :, 6:].all(-1)][:, 6:].double().mean(0)
        assert ((hidden_at - 0.3).abs() < 0.05).all()  # whatever the rank
    _, _, _, alone = _seen({"jam_probability": 1.0, **fields}, 5)
    assert not alone[:, :, 1:].any()


# What holds in every battle


def _melee(seed: int, games: int, **fields: Any) -> ADCA:
    """An arena in which everybody is among everybody."""
    arena = environment(games, seed, **fields)
    arena.reset()
    fighters = arena.state_dict()["alive"].shape[1]
    battle = scattered(seed, fighters, 2.0, games)
    arena.load_state_dict(
        {
            name: value.float() if value.is_floating_point() else value
            for name, value in vars(battle).items()
        }
    )
    return arena


def _play(seed: int, steps: int, games: int = 3, **fields: Any) -> None:
    source, arena = generator(seed), _melee(seed, games, **fields)
    guards, killed = arena.spec.agents, 0
    for _ in range(steps):
        before = {name: value.clone() for name, value in arena.state_dict().items()}
        result = arena.step(torch.randint(0, 7, (games, guards), generator=source))
        after = arena.state_dict()
        dead = ~before["alive"]
        assert not (after["alive"] & dead).any()
        died = before["alive"] & ~after["alive"]
        killed += int(died.sum())
        for name in ("position", "velocity"):
            kept = (before[name] == after[name]).all(1)
            assert kept[dead | died].all()
        # Those that died were within the reach of a living enemy.
        distance = torch.cdist(before["position"].mT, before["position"].mT)
        enemy = torch.arange(after["alive"].shape[1]) < guards
        able = (
            before["alive"].unsqueeze(1) & (enemy.unsqueeze(0) != enemy.unsqueeze(1))
        ) & (distance < 0.5201)
        assert able.any(-1)[died].all()
        assert (after["position"].abs() < 6).all()
        reward = result.individual_reward
        assert reward is not None
        assert torch.equal(result.team_reward, reward.mean(-1))
        assert result.won is not None
        assert not (result.won & ~result.terminated).any()
        assert not result.truncated.any()
    assert killed > games


def test_battles() -> None:
    _play(0, 20, agents=50, attackers=60)
    _play(1, 30, agents=12, attackers=12, jam_probability=0.5)


def _select(state: dict[str, torch.Tensor], game: int) -> dict[str, torch.Tensor]:
    return {name: value[game : game + 1].clone() for name, value in state.items()}


@pytest.mark.parametrize(
    "fields", [{}, {"agents": 9, "attackers": 23}], ids=["default", "small"]
)
def test_a_battle_goes_the_same_way_alone_and_among_others(
    fields: dict[str, Any],
) -> None:
    """This includes random squads, jamming and shuffling."""
    games, chosen = 64, 17
    together, alone = _melee(0, games, **fields), environment(1, 1, **fields)
    alone.reset()
    alone.load_state_dict(_select(together.state_dict(), chosen))
    source = generator(2)
    for _ in range(15):
        actions = torch.randint(0, 7, (games, together.spec.agents), generator=source)
        one, other = together.step(actions), alone.step(actions[chosen : chosen + 1])
        for name, value in alone.state_dict().items():
            mine = together.state_dict()[name][chosen : chosen + 1]
            torch.testing.assert_close(mine, value, rtol=0, atol=1e-4)
        assert torch.equal(one.terminated[chosen : chosen + 1], other.terminated)
        assert one.observation.entity_mask is not None
        assert other.observation.entity_mask is not None
        assert torch.equal(
            one.observation.entity_mask[chosen : chosen + 1],
            other.observation.entity_mask,
        )


def test_the_clock_ends_a_battle_with_a_verdict() -> None:
    """Teams that never meet: 5 of 5 against 6 of 6 is a draw, and a draw is a win."""
    arena = environment(2, agents=5, attackers=6, max_steps=3)
    arena.reset()
    for step in range(3):
        result = arena.step(torch.zeros(2, 5, dtype=torch.int64))
        assert result.won is not None
        assert result.terminated.tolist() == result.won.tolist() == [step == 2] * 2
    assert result.individual_reward is not None
    assert torch.equal(result.individual_reward, torch.full((2, 5), 3.0))


@pytest.mark.parametrize("number", [0.0, 0.5 - GRAIN, 0.5, 1 - GRAIN])
def test_battles_begin_with_finite_numbers_whatever_is_drawn(
    number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among 2^24 numbers one is the greatest: in a long run somebody draws it."""

    def always(key: Tensor, clock: Tensor, purpose: Purpose, count: int) -> Tensor:
        return torch.full((len(key), count), number)

    monkeypatch.setattr(reset, "uniforms", always)
    battle = reset.deploy(torch.zeros(2, dtype=torch.int64), 50, 60, terrain=True)
    for name, value in vars(battle).items():
        assert value.isfinite().all(), name


def test_ended_battles_wait_until_they_are_reset() -> None:
    arena = environment(4, agents=3, attackers=4, max_steps=6)
    arena.reset()
    for _ in range(12):
        result = arena.step(torch.randint(0, 7, (4, 3), generator=generator(0)))
    assert result.terminated.all()
    arena.reset(torch.tensor([True, False, True, False]))
    result = arena.step(torch.zeros(4, 3, dtype=torch.int64))
    assert result.terminated.tolist() == [False, True, False, True]


def test_defaults_are_the_recorded_task() -> None:
    fields = ADCAConfig(name="adca").model_dump()
    assert fields == {
        "name": "adca",
        "agents": 50,
        "attackers": 60,
        "max_steps": 190,
        "terrain": True,
        "jam_probability": 0.05,
        "shuffle_neighbours": True,
        "half_death_reward": True,
        "win_bonus": 3.0,
        "kernels": "torch",
    }
