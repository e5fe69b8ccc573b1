"""ADCA compared with recorded battles of the authors' program.

Every rule is checked given the recorded state, actions and orders.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from marl_core.entity_rows import write_out_entities
from marl_envs.adca.distances import Distances, measure
from marl_envs.adca.environment import ADCA
from marl_envs.adca.observation import observe
from marl_envs.adca.opponent import Orders
from marl_envs.adca.opponent.clusters import components, target_points
from marl_envs.adca.opponent.command import LLOYD_STEPS, aim
from marl_envs.adca.opponent.formation import RING, ring_places, squad_targets
from marl_envs.adca.opponent.grouping import lloyd, squads, start_centres
from marl_envs.adca.opponent.groups import pick
from marl_envs.adca.physics import wrap
from marl_envs.adca.rules import advance, verdict
from tests.support.adca_golden import GUARDS, Recording, excerpt, full

#: Battles are stored in single precision, except the "exact" ones. Positions are up to 7, and
#: angles up to 2 pi.
SINGLE, EXACT = 3e-6, 1e-9


def _recordings() -> list[object]:
    parts = [
        pytest.param((excerpt, kind), id=f"excerpt-{kind}")
        for kind in ("exact", "v60", "v75")
    ]
    return [
        *parts,
        *(
            pytest.param((full, kind), id=f"full-{kind}")
            for kind in ("exact", "v60", "v75")
        ),
    ]


@pytest.fixture(scope="module", params=_recordings())
def recording(request: pytest.FixtureRequest) -> Recording:
    load, kind = request.param
    found: Recording | None = load(kind)
    if found is None:
        pytest.skip("the full recordings are not at hand (MARL_GOLDEN)")
    return found


def _tolerance(recording: Recording) -> float:
    return EXACT if recording.arrays["before_pos"].dtype == np.float64 else SINGLE


def _distances(recording: Recording) -> Distances:
    return measure(recording.battle(), GUARDS)


def _close(one: Tensor, other: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=tolerance, check_dtype=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_every_transition_is_the_recorded_one(
    recording: Recording, dtype: torch.dtype
) -> None:
    """State, hits, rewards, ends and wins after each step."""
    tolerance = _tolerance(recording) if dtype == torch.float64 else 4 * SINGLE
    before = recording.battle(dtype=dtype)
    orders = Orders(
        recording.tensor("att_acc").mT.to(dtype),
        recording.tensor("att_heading").to(dtype),
    )
    near = measure(before, GUARDS)
    after, shots = advance(
        before, recording.tensor("action").long(), orders, near, terrain=True
    )
    assert torch.equal(shots.hit, recording.tensor("hit"))
    assert torch.equal(shots.was_hit, recording.tensor("was_hit"))
    then = recording.battle("after", dtype)
    assert torch.equal(after.alive, then.alive)
    _close(after.position, then.position, tolerance)
    _close(
        after.velocity, then.velocity, 4 * tolerance
    )  # a tenth of the wall's force, whose stiffness is 100
    _close(
        wrap(after.heading - then.heading), torch.zeros_like(then.heading), tolerance
    )
    # The angle itself, and not only the direction, of everything that a step sets.
    known = after.alive | (
        before.alive & (torch.arange(before.alive.shape[1]) >= GUARDS)
    )
    _close(after.heading[known].sin(), then.heading[known].sin(), 2 * tolerance)
    assert ((after.heading - then.heading)[known].abs() < 1).float().mean() > 0.999
    _close(after.terrain, then.terrain, tolerance)
    alive = before.alive
    _close(after.terrain[alive], recording.tensor("terrain_fire")[alive], tolerance)
    end = verdict(after, shots, recording.config)
    assert torch.equal(end.over, recording.tensor("done"))
    assert torch.equal(
        torch.where(end.over, end.won.long(), -1), recording.tensor("win").long()
    )
    _close(end.reward, recording.tensor("reward"), 1e-6)


def test_observations_are_the_recorded_ones(recording: Recording) -> None:
    battle = recording.battle("observed", torch.float32)
    seen = observe(battle, measure(battle, GUARDS), recording.config)
    seen = write_out_entities(seen)
    assert seen.entities is not None
    assert seen.entity_mask is not None
    assert torch.equal(seen.entities, torch.as_tensor(recording.arrays["observed"]))
    assert torch.equal(seen.entity_mask, seen.entities[..., 0] == 1)
    assert seen.alive is not None
    assert torch.equal(seen.alive, battle.alive[:, :GUARDS])


@pytest.mark.parametrize("kernels", ["torch", "warp"])
def test_the_environment_plays_the_rules(recording: Recording, kernels: str) -> None:
    """A step of the environment follows the rules, with the orders of its own script.

    The guards move as recorded.
    """
    if kernels == "warp":
        pytest.importorskip("warp")
    config = recording.config.model_copy(update={"kernels": kernels})
    battle = recording.battle(dtype=torch.float32)
    environment = ADCA(
        config,
        games=len(battle.theta),
        device="cpu",
        generator=torch.Generator().manual_seed(0),
    )
    environment.load_state_dict(vars(battle))
    result = environment.step(recording.tensor("action").long())
    state, then = environment.state_dict(), recording.battle("after", torch.float32)
    still = then.alive[:, :GUARDS]
    _close(
        state["position"][..., :GUARDS].mT[still],
        then.position[..., :GUARDS].mT[still],
        4 * SINGLE,
    )
    assert torch.equal(
        state["alive"], then.alive
    )  # attackers aim as recorded, whichever squads they are in
    assert torch.equal(result.terminated, recording.tensor("done"))
    assert result.won is not None
    assert torch.equal(result.won, recording.tensor("win") == 1)
    assert result.individual_reward is not None
    _close(result.individual_reward, recording.tensor("reward"), 1e-6)
    _close(result.team_reward, recording.tensor("reward").mean(-1), 1e-6)
    assert torch.equal(state["clock"], battle.clock + 1)


# The script, stage by stage; each stage is given what was recorded of the one before


def test_clusters_are_those_of_dbscan(recording: Recording) -> None:
    """The same guards are in one cluster here and in the recording; one alone is noise."""
    alive = recording.tensor("before_alive")[:, :GUARDS]
    component, label = (
        components(_distances(recording).guards),
        recording.tensor("guard_cluster"),
    )
    same_here = component.unsqueeze(1) == component.unsqueeze(2)
    same_there = (label.unsqueeze(1) == label.unsqueeze(2)) & (label >= 0).unsqueeze(1)
    same_there |= torch.eye(GUARDS, dtype=torch.bool)
    both = alive.unsqueeze(1) & alive.unsqueeze(2)
    assert torch.equal(same_here & both, same_there & both)
    assert torch.equal((same_here & both).sum(-1) == 1, label == -1)


def test_target_points(recording: Recording) -> None:
    battle = recording.battle()
    alive, position = battle.alive[:, :GUARDS], battle.position[..., :GUARDS]
    found = target_points(
        components(_distances(recording).guards),
        alive,
        position,
        squads(recording.attackers),
    )
    _close(found, recording.tensor("targets").mT, _tolerance(recording))


def test_squads_are_those_of_the_recorded_seed(recording: Recording) -> None:
    """k-means++ and 20 steps of Lloyd's algorithm, with the numbers that scipy drew from numpy."""
    count = squads(recording.attackers)
    draws = np.empty((len(recording.arrays["clock"]), count))
    for row, seed in zip(draws, recording.arrays["kmeans_seed"], strict=True):
        source = np.random.RandomState(int(seed))
        row[0] = (source.randint(recording.attackers) + 0.5) / recording.attackers
        row[1:] = source.uniform(size=count - 1)
    points = recording.battle().position[..., GUARDS:]
    label, centres = lloyd(
        points, start_centres(points, torch.from_numpy(draws)), LLOYD_STEPS
    )
    recorded = recording.tensor("team_label").long()
    same = (label == recorded).all(1)
    if _tolerance(recording) == EXACT:
        assert same.all()
    assert (
        same.float().mean() > 0.995
    )  # positions in single precision tip a draw or a border now and then
    _close(centres[same], recording.tensor("team_centroid").mT[same], 2 * SINGLE)


def test_own_squads_are_as_compact_as_the_recorded(recording: Recording) -> None:
    points = recording.battle().position[..., GUARDS:]
    repeats = 1 + 2000 // len(points)
    points = points.repeat(repeats, 1, 1)
    count = squads(recording.attackers)
    draws = torch.rand(
        len(points),
        count,
        dtype=points.dtype,
        generator=torch.Generator().manual_seed(0),
    )

    def inertia(label: Tensor, centres: Tensor) -> float:
        return float((points - pick(centres, label)).square().sum())

    own = inertia(*lloyd(points, start_centres(points, draws), LLOYD_STEPS))
    label = recording.tensor("team_label").long().repeat(repeats, 1)
    recorded = inertia(
        label, recording.tensor("team_centroid").mT.repeat(repeats, 1, 1)
    )
    few = (
        len(recording.arrays["clock"]) < 100
    )  # then the recorded sum is itself a matter of chance
    assert own == pytest.approx(recorded, rel=0.1 if few else 0.02)


def test_squads_get_targets_at_nearly_the_least_distance(recording: Recording) -> None:
    """The recorded assignment is that of the Hungarian method."""
    centres, targets = (
        recording.tensor("team_centroid").mT,
        recording.tensor("targets").mT,
    )
    own = (centres - squad_targets(centres, targets)).norm(dim=1).sum(-1)
    best = (
        (centres - pick(targets, recording.tensor("team_target").long()))
        .norm(dim=1)
        .sum(-1)
    )
    assert (own >= best - 1e-4).all()
    assert float(own.sum() / best.sum()) < 1.005
    assert (own <= 1.5 * best + 1e-4).all()


def test_ring_places(recording: Recording) -> None:
    """Every squad takes all places of its ring, and the distances are nearly the least.

    Most attackers go exactly where they go in the recording.
    """
    battle, tolerance = recording.battle(), 4 * _tolerance(recording)
    position, living = battle.position[..., GUARDS:], battle.alive[:, GUARDS:]
    label = recording.tensor("team_label").long()
    centres = recording.tensor("team_centroid").mT
    target = pick(
        recording.tensor("targets").mT, recording.tensor("team_target").long()
    )
    places = ring_places(position, label, centres, target)
    # All places: the sums of x, y and of x^2 - y^2 and xy over each squad are those of its ring.
    member = (
        label.unsqueeze(1) == torch.arange(centres.shape[2]).unsqueeze(-1)
    ).double()
    size = member.sum(-1)
    found = torch.complex(*((places - pick(target, label)) / RING).unbind(1))
    rank = torch.arange(int(size.max()))
    angle = rank * (math.pi / size - 1).unsqueeze(-1)
    for power in (1, 2, 3):
        wanted = torch.where(
            rank < size.unsqueeze(-1),
            torch.polar(torch.ones_like(angle), power * angle),
            0,
        ).sum(-1)
        got = (member.to(found.dtype) @ (found**power).unsqueeze(-1)).squeeze(-1)
        _close(torch.view_as_real(got), torch.view_as_real(wanted), 1e-6)
    recorded = recording.tensor("att_acc")
    acceleration = torch.where(living.unsqueeze(-1), (places - position).mT, 0.0)
    assert ((acceleration - recorded).abs().amax(-1) <= tolerance).float().mean() > 0.9
    # If all members of a squad live, the recorded accelerations are all the distances that the
    # Hungarian method had to sum.
    whole = (member @ living.double().unsqueeze(-1)).squeeze(-1) == size
    own, best = (
        (member @ a.norm(dim=-1, keepdim=True)).squeeze(-1)[whole]
        for a in (acceleration, recorded)
    )
    assert (own >= best - 1e-4).all()
    assert float(own.sum() / best.sum()) < 1.001
    assert (own <= 1.2 * best).all()


def test_attackers_aim_at_the_nearest_guard(recording: Recording) -> None:
    battle = recording.battle()
    living = battle.alive[:, GUARDS:]
    nearest = pick(battle.position[..., :GUARDS], _distances(recording).nearest_guard)
    found = aim(battle.position[..., GUARDS:], nearest)
    _close(
        found[living],
        recording.tensor("att_heading")[living],
        4 * _tolerance(recording),
    )
