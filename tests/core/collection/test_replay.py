"""The replay against a deque of episodes."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.collection.replay import Replay
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.epsilon_greedy import EpsilonGreedy
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.observation_table import without_table
from marl_core.testing.checking import counts_agree
from marl_core.testing.strategies import seeds
from marl_core.types import EnvironmentSpec, Level, Observation, Progress, Rollout
from marl_envs.fme import FME, FMEConfig

STEPS = 5
SPEC = EnvironmentSpec(
    agents=3,
    actions=4,
    max_steps=STEPS,
    features=2,
    state_features=3,
    individual_reward=True,
    action_masks=True,
    agents_die=True,
    levels=(Level("A1", "A"), Level("B1", "B")),
)
#: Sizes of rollouts and their lengths in steps, added one after the other.
ADDED = st.lists(
    st.tuples(st.integers(1, 7), st.integers(1, STEPS)), min_size=1, max_size=6
)


def made_up(
    games: int,
    steps: int = STEPS,
    first: int = 0,
    spec: EnvironmentSpec = SPEC,
    seed: int = 0,
) -> Rollout:
    """Episodes numbered from ``first``: the number is the team's reward of every step."""
    random = torch.Generator().manual_seed(seed)
    shape = (steps, games)
    step = torch.arange(steps).unsqueeze(-1)
    length = torch.randint(1, steps + 1, (games,), generator=random)
    length[torch.randint(games, (), generator=random)] = (
        steps  # the collector stops where the longest game does
    )

    def seen(*leading: int) -> Observation:
        return Observation(
            features=torch.randn(*leading, spec.agents, 2, generator=random),
            state=torch.randn(*leading, 3, generator=random),
            action_mask=torch.rand(
                *leading, spec.agents, spec.actions, generator=random
            )
            < 0.5,
            alive=torch.rand(*leading, spec.agents, generator=random) < 0.5,
        )

    number = (first + torch.arange(games)).float()
    team_reward = number.expand(shape).clone()
    own = torch.randn(*shape, spec.agents, generator=random)
    return Rollout(
        observations=seen(*shape),
        last_observation=seen(games),
        actions=torch.randint(spec.actions, (*shape, spec.agents), generator=random),
        reward=own
        if spec.individual_reward
        else team_reward.unsqueeze(-1).expand(own.shape),
        team_reward=team_reward,
        terminated=(step == length - 1) & (length < STEPS),
        truncated=(step == length - 1) & (length == STEPS),
        valid=step < length,
        component=torch.randint(2, shape, generator=random),
        progress=Progress(),
        level=torch.randint(2, shape, generator=random),
    )


def of_game(rollout: Rollout, game: int) -> dict[str, Tensor]:
    """All that a rollout holds of a game, up to its end."""
    length = int(rollout.valid[:, game].sum())
    own = {f.name: getattr(rollout, f.name) for f in fields(rollout)}
    found = {
        name: value[:length, game]
        for name, value in own.items()
        if isinstance(value, Tensor)
    }
    for name, value in rollout.observations.tensors().items():
        found[f"observations.{name}"] = value[:length, game]
    for name, value in rollout.last_observation.tensors().items():
        found[f"last.{name}"] = value[game]
    return found


def number(rollout: Rollout, game: int) -> int:
    return int(rollout.team_reward[0, game])


def assert_same_episode(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype, name
        assert torch.equal(value, other[name]), name


@dataclass(frozen=True)
class Filled:
    """A replay, and the episodes that it should hold."""

    replay: Replay
    expected: deque[dict[str, Tensor]]


def filled(
    capacity: int,
    added: list[tuple[int, int]],
    seed: int = 0,
    spec: EnvironmentSpec = SPEC,
) -> Filled:
    replay = Replay(capacity, spec)
    expected = deque[dict[str, Tensor]](maxlen=capacity)
    count = 0
    for games, steps in added:
        rollout = made_up(games, steps, count, spec, seed + count)
        replay.add(rollout)
        expected.extend(of_game(rollout, game) for game in range(games))
        count += games
    return Filled(replay, expected)


def draw(replay: Replay, episodes: int, seed: int = 0) -> Rollout:
    rollout = replay.sample(episodes, torch.Generator().manual_seed(seed), Progress())
    assert rollout is not None
    return rollout


@given(st.integers(1, 12), ADDED, seeds(), st.booleans())
def test_it_holds_the_newest_episodes_whole(
    capacity: int, added: list[tuple[int, int]], seed: int, individual: bool
) -> None:
    """Whatever is added: it holds the newest ``capacity`` episodes, each once, with every field."""
    case = filled(capacity, added, seed, replace(SPEC, individual_reward=individual))
    assert (
        len(case.replay)
        == len(case.expected)
        == min(capacity, sum(games for games, _ in added))
    )
    everything = draw(case.replay, len(case.replay), seed)
    held = {
        number(everything, game): of_game(everything, game)
        for game in range(len(case.replay))
    }
    expected = {int(episode["team_reward"][0]): episode for episode in case.expected}
    assert held.keys() == expected.keys()
    for name, episode in held.items():
        assert_same_episode(episode, expected[name])


@given(st.integers(1, 12), ADDED, st.integers(1, 12), seeds())
def test_a_sample_is_of_different_episodes(
    capacity: int, added: list[tuple[int, int]], wanted: int, seed: int
) -> None:
    case = filled(capacity, added, seed)
    progress = Progress(episodes=seed)
    sampled = case.replay.sample(wanted, torch.Generator().manual_seed(seed), progress)
    if wanted > len(case.expected):
        assert sampled is None
        return
    assert sampled is not None
    assert sampled.progress == progress
    numbers = [number(sampled, game) for game in range(sampled.actions.shape[1])]
    assert len(numbers) == len(set(numbers)) == wanted
    expected = {int(episode["team_reward"][0]): episode for episode in case.expected}
    for game, name in enumerate(numbers):
        assert_same_episode(of_game(sampled, game), expected[name])
    # As long as the longest of them, and padding is no step of a game.
    assert sampled.valid.shape[0] == max(
        len(expected[name]["valid"]) for name in numbers
    )
    assert [int(n) for n in sampled.valid.sum(0)] == [
        len(expected[name]["valid"]) for name in numbers
    ]


def test_of_a_fixed_length_nothing_is_cut_off() -> None:
    """Asking how long the longest episode is would cost a synchronisation with the device."""
    case = filled(4, [(3, STEPS)], spec=replace(SPEC, fixed_length=True))
    assert draw(case.replay, 2).valid.shape == (STEPS, 2)


def test_episodes_are_drawn_uniformly() -> None:
    """Three of ten, half of which replaced older ones: each equally often, and in each place."""
    replay = filled(10, [(7, STEPS), (8, STEPS)]).replay
    draws = 2000
    random = torch.Generator().manual_seed(0)
    counts = torch.zeros(3, 15)
    for _ in range(draws):
        sampled = replay.sample(3, random, Progress())
        assert sampled is not None
        counts[torch.arange(3), sampled.team_reward[0].long()] += 1
    assert (counts[:, :5] == 0).all()
    for place in counts:
        assert counts_agree(place[5:].tolist(), [draws / 10] * 10)
    assert counts_agree(counts.sum(0)[5:].tolist(), [3 * draws / 10] * 10)


@pytest.mark.parametrize("bound", [2, 256, 257, 2**15, 2**15 + 1, 2**16 + 1])
@pytest.mark.parametrize("what", ["actions", "table_rows", "levels"])
def test_integers_survive_up_to_their_bounds(bound: int, what: str) -> None:
    levels = (
        tuple(Level(str(index), "A") for index in range(bound))
        if what == "levels"
        else ()
    )
    sizes: dict[str, Any] = {"levels": levels} if what == "levels" else {what: bound}
    spec = replace(
        EnvironmentSpec(
            agents=2, actions=2, max_steps=1, features=1, fixed_length=True
        ),
        **sizes,
    )
    extremes = torch.tensor([0, bound - 1])
    plain = made_up(2, 1, spec=replace(spec, actions=2))
    row = extremes if what == "table_rows" else torch.zeros(2, dtype=torch.int64)
    seen = Observation(row=row.expand(1, 2, 2))
    rollout = replace(
        plain,
        observations=seen,
        last_observation=Observation(row=row.expand(2, 2)),
        actions=extremes.expand(1, 2, 2) if what == "actions" else plain.actions,
        level=extremes.expand(1, 2) if what == "levels" else plain.level,
        component=torch.tensor([[0, 2**31 - 1]]),
    )
    replay = Replay(2, spec)
    replay.add(rollout)
    sampled = draw(replay, 2)
    for game in range(2):
        assert_same_episode(
            of_game(sampled, game), of_game(rollout, number(sampled, game))
        )
    # It is for the memory that they are narrowed at all.
    stored = replay.state_dict()["stored"]["actions"]
    assert (
        stored.element_size()
        == {True: 1, False: 2 if bound <= 2**15 else 4}[bound <= 256]
    )


@given(st.integers(1, 10), ADDED, ADDED, seeds())
def test_a_restored_replay_goes_on_as_the_old_one(
    capacity: int,
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
    seed: int,
) -> None:
    """Bit by bit, in what it holds and in what it draws next, however it is filled then."""
    case = filled(capacity, before, seed)
    file = io.BytesIO()
    torch.save(case.replay.state_dict(), file)
    file.seek(0)
    restored = Replay(capacity, SPEC)
    restored.load_state_dict(torch.load(file, weights_only=True), "cpu", None)
    random = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    count = 1000
    for games, steps in [(0, 0), *after]:
        if games:
            rollout = made_up(games, steps, count, seed=seed + count)
            count += games
            for replay in (case.replay, restored):
                replay.add(rollout)
        assert len(restored) == len(case.replay)
        wanted = min(len(restored), 2)
        pairs = zip((case.replay, restored), random, strict=True)
        one, other = (replay.sample(wanted, r, Progress()) for replay, r in pairs)
        assert one is not None
        assert other is not None
        for game in range(wanted):
            assert_same_episode(of_game(one, game), of_game(other, game))


@given(
    capacity=st.integers(1, 12),
    games=st.integers(1, 7),
    steps=st.integers(1, STEPS),
    individual=st.booleans(),
    actions=st.sampled_from([4, 300, 40_000]),
)
def test_its_size_is_known_before_it_takes_memory(
    capacity: int, games: int, steps: int, individual: bool, actions: int
) -> None:
    """To the byte, by episodes shorter than the longest possible one too."""
    spec = replace(SPEC, individual_reward=individual, actions=actions)
    replay = Replay(capacity, spec)
    rollout = made_up(games, steps, spec=spec)
    known = replay.bytes_for(rollout)
    assert replay._stored == {}
    replay.add(rollout)
    taken = [stored.untyped_storage().nbytes() for stored in replay._stored.values()]
    assert known == sum(taken)


@pytest.mark.parametrize("use_table", [True, False])
def test_its_size_is_known_of_games_that_are_played(use_table: bool) -> None:
    """Of FME with a table of observations and without."""
    environment = FME(
        FMEConfig(agents=3, tag="1A2B1C", actions=5),
        games=4,
        device="cpu",
        generator=torch.Generator().manual_seed(0),
    )
    host = QMIX(QMIXConfig(), environment.spec, torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(1)
    collector = Collector(environment, random, use_table=use_table)
    play = CoupledExploration(EpsilonGreedy())
    rollout = collector.collect(host, play, Progress())
    replay = Replay(9, environment.spec)
    known = replay.bytes_for(rollout)
    replay.add(rollout)
    taken = [stored.untyped_storage().nbytes() for stored in replay._stored.values()]
    assert known == sum(taken)
    assert ("observations.row" in replay._stored) == use_table


def test_entities_point_to_any_row() -> None:
    """How many rows a game has, the spec does not say."""
    rollout = made_up(2)
    index = torch.full((STEPS, 2, SPEC.agents, 1), 70_000)
    rollout = replace(
        rollout, observations=replace(rollout.observations, entity_index=index)
    )
    replay = Replay(2, SPEC)
    replay.add(rollout)
    sampled = draw(replay, 2)
    assert sampled.observations.entity_index is not None
    assert (sampled.observations.entity_index == 70_000).all()


def test_an_empty_replay_can_be_restored() -> None:
    restored = Replay(3, SPEC)
    restored.load_state_dict(Replay(3, SPEC).state_dict(), "cpu", None)
    assert restored.sample(1, torch.Generator(), Progress()) is None
    restored.add(made_up(2))
    assert len(restored) == 2


def test_a_saved_state_stays_as_it_was() -> None:
    replay = filled(3, [(2, STEPS)]).replay
    state = replay.state_dict()
    before = state["stored"]["team_reward"].clone()
    replay.add(made_up(3, first=50))
    assert torch.equal(state["stored"]["team_reward"], before)


def test_a_file_holds_no_empty_room() -> None:
    """The checkpoints of a run's beginning are as small as the few episodes that there are."""
    sizes = []
    for capacity in (4, 4000):
        file = io.BytesIO()
        torch.save(filled(capacity, [(2, STEPS)]).replay.state_dict(), file)
        sizes.append(file.tell())
    assert sizes[1] < 1.1 * sizes[0]


def test_the_table_comes_back_with_what_is_drawn() -> None:
    spec = EnvironmentSpec(
        agents=3,
        actions=4,
        max_steps=STEPS,
        features=2,
        table_rows=6,
        fixed_length=True,
    )
    random = torch.Generator().manual_seed(0)
    table = Observation(
        features=torch.randn(6, 3, 2, generator=random), state=torch.eye(6)
    )
    plain = made_up(4, spec=spec)
    row = torch.randint(6, (STEPS, 4, 1), generator=random).expand(-1, -1, 3)
    rollout = replace(
        plain,
        table=table,
        observations=Observation(row=row),
        last_observation=Observation(row=row[0]),
    )
    replay = Replay(4, spec)
    replay.add(rollout)
    restored = Replay(4, spec)
    restored.load_state_dict(replay.state_dict(), "cpu", table)
    for one in (replay, restored):
        sampled = draw(one, 3)
        assert sampled.table is table
        written = without_table(sampled)
        for game in range(3):
            assert_same_episode(
                of_game(written, game),
                of_game(without_table(rollout), number(sampled, game)),
            )
