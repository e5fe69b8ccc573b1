"""The script of ADCA, compared with plain implementations of its parts."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_envs.adca.distances import measure
from marl_envs.adca.draws import Purpose, uniforms
from marl_envs.adca.opponent import give_orders
from marl_envs.adca.opponent.assignment import (
    exchange,
    neighbours,
    partners,
    tournament,
)
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.formation import RING, ring_places, squad_targets
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres
from marl_envs.adca.opponent.groups import Groups, inverse, pick
from tests.support.adca_battles import generator, scattered, seeds, teams


def _clusters(positions: list[list[float]], alive: list[bool]) -> list[set[int]]:
    """Connected components, found by walking from each guard to all guards near it."""
    living = [i for i, lives in enumerate(alive) if lives]
    found: list[set[int]] = []
    for start in living:
        if any(start in cluster for cluster in found):
            continue
        cluster, front = {start}, [start]
        while front:
            here = front.pop()
            near = {
                i for i in living if math.dist(positions[i], positions[here]) <= 0.5
            } - cluster
            cluster |= near
            front += sorted(near)
        found.append(cluster)
    return found


def _targets(
    positions: list[list[float]], clusters: list[set[int]], count: int
) -> list[list[float]]:
    """Target points in order, as the description of the script says."""
    found: list[list[float]] = []
    noise = sorted(next(iter(cluster)) for cluster in clusters if len(cluster) == 1)
    told = False
    for cluster in sorted(clusters, key=min):
        if len(cluster) > 1:
            found.append(
                [
                    sum(positions[i][axis] for i in cluster) / len(cluster)
                    for axis in range(2)
                ]
            )
        elif not told:
            found += [positions[i] for i in noise]
            told = True
    found = found or [[0.0, 0.0]]
    return (found + [found[-1]] * count)[:count]


@given(
    seed=seeds(),
    guards=st.integers(1, 40),
    extent=st.floats(0.1, 4.0),
    count=st.integers(1, 20),
)
@settings(max_examples=60)
def test_clusters_and_targets(
    seed: int, guards: int, extent: float, count: int
) -> None:
    battle = scattered(seed, guards + 1, extent)
    alive, position = battle.alive[:, :guards], battle.position[..., :guards]
    component = components(measure(battle, guards).guards)
    positions, living = position[0].T.tolist(), alive[0].tolist()
    clusters = _clusters(positions, living)
    for cluster in clusters:
        assert {int(component[0, i]) for i in cluster} == {min(cluster)}
    found = target_points(component, alive, position, count)
    wanted = torch.tensor(_targets(positions, clusters, count), dtype=found.dtype).T
    torch.testing.assert_close(found[0], wanted)


def test_a_chain_is_one_cluster() -> None:
    """The longest chain there can be, in an order in which names have to travel far."""
    battle = scattered(0, 200, 1.0)
    place = torch.randperm(199, generator=generator(1)).double()
    battle.position[0, 0, :199], battle.position[0, 1, :199], battle.alive[:] = (
        0.49 * place,
        0,
        True,
    )
    assert not components(measure(battle, 199).guards).any()


# k-means


@given(seed=seeds(), attackers=st.integers(1, 70))
@settings(max_examples=40)
def test_lloyd(seed: int, attackers: int) -> None:
    """Points go to the nearest centre, centres are means, and steps make squads more compact."""
    points = scattered(seed, attackers, 5.0, games=3).position
    count = squads(attackers)
    centres = start_centres(points, torch.rand(3, count, generator=generator(seed)))
    for start in centres.mT.flatten(0, 1):
        assert (points.mT.flatten(0, 1) == start).all(-1).any()
    before = torch.full((3,), torch.inf, dtype=points.dtype)
    for steps in range(1, 8):
        label, means = lloyd(points, centres, steps)
        inertia = (points - pick(means, label)).square().sum((1, 2))
        assert (inertia <= before + 1e-9).all()
        before = inertia
    label, means = lloyd(points, centres, 100)
    distance = (points.unsqueeze(2) - means.unsqueeze(3)).square().sum(1)
    own = distance.gather(1, label.unsqueeze(1)).squeeze(1)
    assert (own <= distance.amin(1) + 1e-9).all()
    member = (label.unsqueeze(1) == torch.arange(count).unsqueeze(-1)).double()
    kept = member.sum(-1) > 0
    mean = (points @ member.mT / member.sum(-1).clamp(min=1).unsqueeze(1)).mT
    torch.testing.assert_close(means.mT[kept], mean[kept])


def test_starts_are_drawn_by_squared_distance() -> None:
    """Three points at 0, 1 and 3 on a line: after the first, the others are drawn as 1 to 9."""
    games = 20000
    points = (
        torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
        .expand(games, 2, 3)
        .contiguous()
    )
    draws = torch.rand(games, 2, generator=generator(0))
    centres = start_centres(points, draws)
    first = centres[:, 0, 0]
    for at in (0.0, 1.0, 3.0):
        assert abs(float((first == at).double().mean()) - 1 / 3) < 0.02
    second = centres[first == 0, 0, 1]
    assert abs(float((second == 3).double().mean()) - 0.9) < 0.02
    assert not (second == 0).any()


def test_an_empty_squad_keeps_its_centre() -> None:
    points = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    label, means = lloyd(points, torch.tensor([[[0.5, 9.0], [0.0, 9.0]]]), 20)
    assert label.tolist() == [[0, 0]]
    assert means[0].T.tolist() == [[0.5, 0.0], [9.0, 9.0]]


# Assignments


def _least(members: Tensor, places: Tensor) -> float:
    """The smallest sum of distances, found by trying every order."""
    distance = (members.unsqueeze(2) - places.unsqueeze(1)).norm(dim=0)
    rank = range(len(distance))
    return min(
        float(distance[list(rank), list(order)].sum()) for order in permutations(rank)
    )


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 12, 15])
def test_in_a_tournament_all_meet_once(ranks: int) -> None:
    met = []
    for round_ in tournament(ranks, torch.device("cpu")).tolist():
        for one, other in enumerate(round_):
            if other < ranks:
                assert other != one
                assert round_[other] == one
                met += [(one, other)] if one < other else []
    assert sorted(met) == sorted((i, j) for j in range(ranks) for i in range(j))


@given(seed=seeds(), members=st.integers(1, 40), count=st.integers(1, 6))
@settings(max_examples=40)
def test_exchanging_places(seed: int, members: int, count: int) -> None:
    """Places are permuted within groups, no exchange makes the sum longer, and none is missed."""
    source = generator(seed)
    label = torch.randint(0, count, (2, members), generator=source).sort(-1).values
    one, places = (
        torch.rand(2, 2, members, generator=source, dtype=torch.float64)
        for _ in range(2)
    )
    groups = Groups.of_labels(label, count)
    rounds = partners(groups, neighbours(members, (3, 2, 1), torch.device("cpu")))
    for partner in rounds:
        assert torch.equal(
            partner.gather(1, partner), torch.arange(members).expand(2, -1)
        )
        assert torch.equal(label.gather(1, partner), label)
    before = torch.full((2,), torch.inf, dtype=one.dtype)
    for times in (0, 1, 2, 30):
        taken = exchange(one, places, rounds, times)
        for game in range(2):
            for group in range(count):
                inside = label[game] == group
                assert sorted(taken[game][:, inside].T.tolist()) == sorted(
                    places[game][:, inside].T.tolist()
                )
        length = (one - taken).norm(dim=1).sum(-1)
        assert (length <= before + 1e-9).all()
        before = length
    own = (one - taken).norm(dim=1)
    for partner in rounds:
        other = (one - pick(taken, partner)).norm(dim=1)
        assert (
            other + other.gather(1, partner) >= own + own.gather(1, partner) - 1e-5
        ).all()


@given(seed=seeds(), count=st.integers(1, 6))
@settings(max_examples=40)
def test_targets_of_few_squads(seed: int, count: int) -> None:
    """The sum is rarely longer than that of the best order, and never by much."""
    centres, targets = (
        scattered(seed + s, count, 5.0, games=8).position for s in range(2)
    )
    taken = squad_targets(centres, targets)
    own = (centres - taken).norm(dim=1).sum(-1)
    best = torch.tensor(
        [_least(c, t) for c, t in zip(centres, targets, strict=True)], dtype=own.dtype
    )
    assert (own >= best - 1e-9).all()
    assert float(own.sum() / best.sum()) < 1.05


@given(seed=seeds(), attackers=st.integers(1, 30))
@settings(max_examples=40)
def test_places_lie_on_the_ring(seed: int, attackers: int) -> None:
    position = scattered(seed, attackers, 5.0).position
    count = squads(attackers)
    label, centres = lloyd(
        position,
        start_centres(position, torch.rand(1, count, generator=generator(seed))),
        20,
    )
    targets = scattered(seed + 1, count, 5.0).position
    places = ring_places(position, label, centres, targets)
    for squad in range(count):
        inside = label[0] == squad
        size = int(inside.sum())
        angles = [(math.pi / size - 1) * i for i in range(size)]
        wanted = [[RING * math.cos(angle), RING * math.sin(angle)] for angle in angles]
        found = (places[0][:, inside] - targets[0][:, [squad]]).T
        ring = torch.tensor(wanted, dtype=found.dtype).view(-1, 2)
        nearest = torch.cdist(ring, found)
        assert torch.allclose(
            nearest.amin(1), torch.zeros(size, dtype=found.dtype), atol=1e-6
        )
        assert len(set(nearest.argmin(1).tolist())) == size


def test_inverse() -> None:
    order = torch.stack([torch.randperm(9, generator=generator(s)) for s in range(4)])
    assert torch.equal(order.gather(1, inverse(order)), torch.arange(9).expand(4, -1))


@given(seed=seeds(), sizes=teams())
@settings(max_examples=30)
def test_everybody_aims_at_the_nearest_guard(seed: int, sizes: tuple[int, int]) -> None:
    guards = sizes[0]
    battle = scattered(seed, sum(sizes), 3.0)
    battle.alive[:, 0] = True
    heading = give_orders(battle, measure(battle, guards)).heading
    places = battle.position[0].T.tolist()
    for attacker in [i for i in range(guards, sum(sizes)) if battle.alive[0, i]]:
        living = [i for i in range(guards) if battle.alive[0, i]]
        nearest = min(living, key=lambda i: math.dist(places[i], places[attacker]))
        x, y = (a - b for a, b in zip(places[nearest], places[attacker], strict=True))
        assert float(heading[0, attacker - guards]) == pytest.approx(
            math.atan2(y, x) % (2 * math.pi)
        )


@given(seed=seeds(), sizes=teams())
@settings(max_examples=30)
def test_orders_without_guards_or_attackers_are_finite(
    seed: int, sizes: tuple[int, int]
) -> None:
    guards = sizes[0]
    battle = scattered(seed, sum(sizes), 3.0)
    for side in (slice(0, guards), slice(guards, None)):
        battle.alive[:, side] = False
        orders = give_orders(battle, measure(battle, guards))
        assert orders.acceleration.isfinite().all()
        assert orders.heading.isfinite().all()
    assert not orders.acceleration.any()


# Chance


def test_random_numbers_are_uniform_and_belong_to_the_battle() -> None:
    key = torch.randint(0, 2**62, (2000,), generator=generator(0))
    clock = torch.arange(2000) % 7
    numbers = uniforms(key, clock, Purpose.GROUPING, 50)
    assert float(numbers.min()) >= 0
    assert float(numbers.max()) < 1
    counts = torch.histc(numbers, bins=100, min=0, max=1).double()
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 99 + 6 * (2 * 99) ** 0.5
    # No correlation between places, between battles, between steps, and between purposes.
    centred = (numbers - 0.5).double() * 12**0.5
    later = (uniforms(key, clock + 1, Purpose.GROUPING, 50) - 0.5).double() * 12**0.5
    other = (uniforms(key, clock, Purpose.SIGHT, 50) - 0.5).double() * 12**0.5
    following = (
        uniforms(key + 1, clock, Purpose.GROUPING, 50) - 0.5
    ).double() * 12**0.5
    bound = 6 / 2000**0.5
    correlation = centred.T @ centred / 2000 - torch.eye(50)
    assert correlation.abs().max() < bound
    for unlike in (later, other, following):
        assert (centred.T @ unlike / 2000).abs().max() < bound
    assert torch.equal(
        uniforms(key[7:8], clock[7:8], Purpose.GROUPING, 50)[0], numbers[7]
    )
    assert torch.equal(uniforms(key, clock, Purpose.GROUPING, 20), numbers[:, :20])
