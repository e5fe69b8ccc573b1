"""The fused kernel gives the orders that torch gives, except where rounding decides a tie."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.distances import measure
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.opponent import give_orders
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.command import LLOYD_STEPS
from marl_envs.adca.opponent.formation import RING, ring_places, squad_targets
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres
from marl_envs.adca.opponent.groups import pick
from marl_envs.adca.opponent.kernels.warp_orders import WarpOrders
from tests.support.adca_battles import environment, scattered, seeds

#: The largest difference between orders that send an attacker to the same place.
ROUNDING = 2e-5


pytest.importorskip("warp")


@dataclass(frozen=True)
class Stages:
    """The intermediate results of the kernel, and its orders."""

    component: Tensor
    targets: Tensor
    label: Tensor
    centres: Tensor
    given: Tensor
    acceleration: Tensor
    heading: Tensor


@pytest.fixture(scope="module")
def script() -> WarpOrders:
    return WarpOrders("cpu")


def _stages(script: WarpOrders, battle: Battle, guards: int) -> Stages:
    from marl_envs.adca.opponent.kernels import rows

    orders = script(battle, measure(battle, guards))
    reals, whole = script.scratch
    attackers = battle.alive.shape[1] - guards
    count = squads(attackers)
    return Stages(
        whole[:, rows.NAME, :guards].long(),
        reals[:, rows.TARGET_X : rows.TARGET_Y + 1, :count],
        whole[:, rows.LABEL, :attackers].long(),
        reals[:, rows.CENTRE_X : rows.CENTRE_Y + 1, :count],
        reals[:, rows.GIVEN_X : rows.GIVEN_Y + 1, :count],
        orders.acceleration,
        orders.heading,
    )


def _single(battle: Battle) -> Battle:
    return battle.map(
        lambda value: value.float() if value.is_floating_point() else value
    )


def _groups(points: Tensor, battle: Battle) -> tuple[Tensor, Tensor]:
    draws = uniforms(
        battle.key, battle.clock, Purpose.GROUPING, squads(points.shape[2])
    )
    return lloyd(points, start_centres(points, draws), LLOYD_STEPS)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Which battles have results that differ by more than rounding."""
    return ((one.double() - other.double()).abs() > ROUNDING).flatten(1).any(1)


def _unstable_groups(points: Tensor, battle: Battle) -> Tensor:
    """Which battles torch groups differently when positions are rounded differently."""
    label = _groups(points, battle)[0]
    source = torch.Generator().manual_seed(0)
    unlike = _groups(points.double(), battle)[0] != label
    for _ in range(8):
        moved = points * (1 + 3e-7 * torch.randn(points.shape, generator=source))
        unlike |= _groups(moved, battle)[0] != label
    return unlike.any(1)


def _unstable_targets(centres: Tensor, targets: Tensor) -> Tensor:
    """Which battles get other targets from torch when positions are rounded differently."""
    given = squad_targets(centres, targets)
    source = torch.Generator().manual_seed(0)
    unlike = _apart(squad_targets(centres.double(), targets.double()), given)
    for _ in range(8):
        noise = (1e-6 * torch.randn(centres.shape, generator=source) for _ in range(2))
        unlike |= _apart(
            squad_targets(
                *(
                    values + some
                    for values, some in zip((centres, targets), noise, strict=True)
                )
            ),
            given,
        )
    return unlike


def _closest_keys(points: Tensor, way: Tensor) -> float:
    """The smallest difference between the keys by which torch sorts the points of one squad.

    Args:
        points: of one battle, ``[2, n]``.
        way: of the squad.
    """
    along, across = way.double()
    left = (
        (
            (points[1] * along - points[0] * across)
            / torch.hypot(along, across).clamp(min=1e-9)
        )
        .sort()
        .values
    )
    return float(left.diff().amin()) if len(left) > 1 else float("inf")


def _check_rings(battle: Battle, found: Stages, guards: int) -> int:
    """Check that members have the places that torch gives them.

    The members of a squad with a tie may be permuted, but have the places of the ring.

    Returns:
        The number of squads with a tie.
    """
    attackers, living = battle.position[..., guards:], battle.alive[:, guards:]
    wanted = ring_places(attackers, found.label, found.centres, found.given)
    places = found.acceleration + attackers
    differ = ((places - wanted).abs().amax(1) > ROUNDING) & living
    tied = {
        (game, int(found.label[game, one])) for game, one in differ.nonzero().tolist()
    }
    for game, squad in tied:
        inside = found.label[game] == squad
        size = int(inside.sum())
        angle = torch.arange(size) * (torch.pi / size - 1)
        ring = RING * torch.stack([angle.cos(), angle.sin()])
        here, centre = found.given[game, :, [squad]], found.centres[game, :, [squad]]
        # Keys are offset by ``squad * 256``, where single precision is coarse.
        grain = 4 * 256 * (squad + 1) * 2.0**-23
        ways = (here - centre).squeeze(-1)
        members = attackers[game][:, inside] - here
        here_places, there_places = (
            some[game][:, inside & living[game]] for some in (places, wanted)
        )
        own = attackers[game][:, inside & living[game]].double()
        lengths = [
            float((own - some).norm(dim=0).sum())
            for some in (here_places, there_places)
        ]
        even = abs(lengths[0] - lengths[1]) < 1e-5
        assert (
            even or min(_closest_keys(members, ways), _closest_keys(ring, ways)) < grain
        )
        taken = here_places.mT
        among = torch.cdist((here + ring).mT, taken).amin(0)
        assert float(among.amax()) < ROUNDING
        assert len(torch.unique((taken * 1e3).round(), dim=0)) == len(taken)
    return len(tied)


def _check(script: WarpOrders, battle: Battle, guards: int) -> tuple[int, int]:
    """Check that each stage is what torch computes from the kernel's stage before.

    Returns:
        The number of battles and the number of squads that had ties.
    """
    near = measure(battle, guards)
    found, wanted = _stages(script, battle, guards), give_orders(battle, near)
    alive, attackers = battle.alive[:, :guards], battle.position[..., guards:]
    component = components(near.guards)
    assert torch.equal(found.component, component)
    targets = target_points(
        component, alive, battle.position[..., :guards], found.targets.shape[2]
    )
    torch.testing.assert_close(found.targets, targets, rtol=0, atol=ROUNDING)
    label, centres = _groups(attackers, battle)
    unlike = (label != found.label).any(1) | _apart(centres, found.centres)
    tied = unlike.clone()
    if unlike.any():
        assert (_unstable_groups(attackers, battle) | ~unlike).all()
    unlike = _apart(squad_targets(found.centres, found.targets), found.given)
    tied |= unlike
    if unlike.any():
        assert (_unstable_targets(found.centres, found.targets) | ~unlike).all()
        assert not _apart(
            found.given.sort(2).values, found.targets.sort(2).values
        ).any()
    rings = _check_rings(battle, found, guards)
    assert not found.acceleration[
        ~battle.alive[:, None, guards:].expand_as(found.acceleration)
    ].any()
    turn = (found.heading - wanted.heading).abs()
    assert float(torch.minimum(turn, 2 * torch.pi - turn).amax()) < 1e-5
    assert float(found.heading.amin()) >= 0
    return int(tied.sum()), rings


@given(
    seed=seeds(),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    extent=st.floats(0.1, 4.0),
    fallen=st.sampled_from(["some", "guards", "attackers", "all"]),
)
@settings(max_examples=60)
def test_orders_are_those_of_torch(
    script: WarpOrders, seed: int, sizes: tuple[int, int], extent: float, fallen: str
) -> None:
    battle, guards = _single(scattered(seed, sum(sizes), extent, games=4)), sizes[0]
    if fallen in ("guards", "all"):
        battle.alive[:, :guards] = False
    if fallen in ("attackers", "all"):
        battle.alive[:, guards:] = False
    _check(script, battle, guards)


@given(
    seed=seeds(),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    places=st.integers(1, 8),
)
@settings(max_examples=40)
def test_fighters_may_stand_in_one_place(
    script: WarpOrders, seed: int, sizes: tuple[int, int], places: int
) -> None:
    """All stand on a few points of a grid, so that nearly everything is a tie.

    The stages before that of the squads are still those of torch.
    """
    battle, guards = _single(scattered(seed, sum(sizes), 1.0, games=4)), sizes[0]
    battle.position.mul_(places).round_().mul_(0.25)
    near, found = measure(battle, guards), _stages(script, battle, guards)
    component = components(near.guards)
    assert torch.equal(found.component, component)
    targets = target_points(
        component,
        battle.alive[:, :guards],
        battle.position[..., :guards],
        found.targets.shape[2],
    )
    torch.testing.assert_close(found.targets, targets, rtol=0, atol=ROUNDING)
    attackers = battle.position[..., guards:]
    label, centres = _groups(attackers, battle)
    unlike = (label != found.label).any(1)
    assert (_unstable_groups(attackers, battle) | ~unlike).all()
    assert not _apart(centres, found.centres)[~unlike].any()
    assert not _apart(found.given.sort(2).values, found.targets.sort(2).values).any()
    assert found.acceleration.isfinite().all()
    lengths = (found.acceleration + attackers - pick(found.given, found.label)).norm(
        dim=1
    )
    living = battle.alive[:, guards:]
    torch.testing.assert_close(
        lengths[living], torch.full_like(lengths[living], RING), rtol=0, atol=ROUNDING
    )


def test_a_whole_battle(script: WarpOrders) -> None:
    """Torch's orders are played, and the kernel is compared with them in every step."""
    arena = environment(3, 3, agents=50, attackers=60)
    arena.reset()
    source, ties, rings = torch.Generator().manual_seed(0), 0, 0
    for _ in range(190):
        found = _check(script, Battle(**arena.state_dict()), 50)
        ties, rings = ties + found[0], rings + found[1]
        arena.step(torch.randint(7, (3, 50), generator=source))
    assert ties < 3 * 190 * 0.01
    assert rings < 3 * 190 * 12 * 0.005


def _only(battle: Battle, game: int) -> Battle:
    return battle.map(lambda value: value[game : game + 1])


def test_a_battle_goes_the_same_way_alone_and_among_others(script: WarpOrders) -> None:
    battle = _single(scattered(5, 50, 3.0, games=5))
    together = _stages(script, battle, 20)
    for game in range(5):
        alone = _stages(script, _only(battle, game), 20)
        for name, value in vars(alone).items():
            assert torch.equal(value, vars(together)[name][game : game + 1])


def test_the_environment_plays_with_it() -> None:
    """The first step is that of torch; states in double precision can be loaded too."""
    actions = torch.zeros(6, 9, dtype=torch.int64)
    states = []
    for kernels in ("torch", "warp"):
        arena = environment(6, 1, agents=9, attackers=14, kernels=kernels)
        arena.reset()
        arena.step(actions)
        states.append(arena.state_dict()["position"])
    torch.testing.assert_close(*states, rtol=0, atol=ROUNDING)
    other = scattered(2, 23, 3.0, games=8)
    arena = environment(6, 1, agents=9, attackers=14, kernels="warp")
    arena.load_state_dict(vars(other))
    arena.step(torch.zeros(8, 9, dtype=torch.int64))
    assert arena.state_dict()["position"].dtype == torch.float64
