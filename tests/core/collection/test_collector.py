"""The collector on games of different lengths, with agents that die, masks and memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.observation_table import DistinctObservations, look_up
from marl_core.protocols import Environment
from marl_core.testing.strategies import seeds
from marl_core.types import (
    NO_OP,
    EnvironmentSpec,
    Observation,
    Progress,
    Rollout,
    StepResult,
)
from marl_envs.fme import FME, FMEConfig
from marl_pr.coupling import PolicyResonance
from tests.support.broken_environments import Wrapped
from tests.support.numbered_games import CountsSteps, Numbered

GAMES = 64
#: Every agent samples its own softmax policy.
PLAIN = CoupledExploration(EntropySampling())


class Recorder(Wrapped):
    """Keeps all that passes through it."""

    def __init__(self, inner: Environment) -> None:
        self.inner = inner
        self.seen: list[Observation] = []
        self.actions: list[Tensor] = []
        self.results: list[StepResult] = []

    def reset(self, games: Tensor | None = None) -> Observation:
        self.seen = [self.inner.reset(games)]
        return self.seen[0]

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        self.seen.append(result.observation)
        self.actions.append(actions)
        self.results.append(result)
        return result


class TruncatesEarly(Wrapped):
    """In every other game what would be the end of the task is a limit from outside."""

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        outside = torch.arange(len(actions)) % 2 == 0
        early = result.terminated & outside
        return replace(
            result,
            terminated=result.terminated & ~outside,
            truncated=result.truncated | early,
        )


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _practice() -> Environment:
    return TruncatesEarly(games=GAMES, device="cpu", generator=_generator(0))


def _played(inner: Environment) -> tuple[Rollout, Recorder]:
    environment = Recorder(inner)
    host = CountsSteps(inner.spec)
    return Collector(environment, _generator(2)).collect(
        host, PLAIN, Progress()
    ), environment


@pytest.fixture(scope="module")
def played() -> tuple[Rollout, Recorder]:
    """A rollout of the practice environment, and all that passed between the two."""
    return _played(_practice())


def _lengths(record: Recorder) -> Tensor:
    """How long each game lasted, read off the record: up to and with its first end."""
    over = torch.stack([result.ended for result in record.results])
    assert over.any(0).all()
    return over.int().argmax(0) + 1


def test_the_practice_environment_has_everything(
    played: tuple[Rollout, Recorder],
) -> None:
    """These tests are worth something only if games really differ."""
    rollout, record = played
    lengths = _lengths(record)
    assert int(lengths.min()) < int(lengths.max())
    assert (rollout.terminated & rollout.valid).any()
    assert (rollout.truncated & rollout.valid)[:-1].any()
    alive = rollout.observations.alive
    assert alive is not None
    assert not alive[rollout.valid].all()


def test_valid_until_the_end_of_each_game(played: tuple[Rollout, Recorder]) -> None:
    rollout, record = played
    step = torch.arange(len(rollout.valid)).unsqueeze(-1)
    assert torch.equal(rollout.valid, step < _lengths(record))


def test_what_is_kept_is_what_happened(played: tuple[Rollout, Recorder]) -> None:
    rollout, record = played
    for t, result in enumerate(record.results):
        assert torch.equal(rollout.actions[t], record.actions[t])
        assert torch.equal(rollout.team_reward[t], result.team_reward)
        assert result.individual_reward is not None
        assert torch.equal(rollout.reward[t], result.individual_reward)
        assert torch.equal(rollout.terminated[t], result.terminated)
        assert torch.equal(rollout.truncated[t], result.truncated)
        for name, value in rollout.observations.tensors().items():
            assert torch.equal(value[t], getattr(record.seen[t], name))


def test_last_observation_is_that_after_each_games_own_end(
    played: tuple[Rollout, Recorder],
) -> None:
    rollout, record = played
    lengths = _lengths(record)
    for name, value in rollout.last_observation.tensors().items():
        course = torch.stack([getattr(seen, name) for seen in record.seen])
        assert torch.equal(value, course[lengths, torch.arange(GAMES)])


def test_memory_before_each_step_and_after_the_last(
    played: tuple[Rollout, Recorder],
) -> None:
    rollout, record = played
    assert rollout.memory is not None
    assert rollout.last_memory is not None
    steps = torch.arange(len(rollout.valid)).unsqueeze(-1).expand_as(rollout.valid)
    on = rollout.valid
    assert torch.equal(rollout.memory["step"][on], steps[on].float())
    assert torch.equal(rollout.last_memory["step"], _lengths(record).float())


def test_actions_follow_the_memory(played: tuple[Rollout, Recorder]) -> None:
    """The preferred action has probability 0.98 where all four are legal, so most take it."""
    rollout, _ = played
    everything_legal = rollout.acting[3]
    mask = rollout.observations.action_mask
    assert mask is not None
    free = everything_legal & mask[3].all(-1)
    assert free.sum() > 50
    assert (rollout.actions[3][free] == 3).float().mean() > 0.9


def test_illegal_actions_are_never_taken(played: tuple[Rollout, Recorder]) -> None:
    rollout, _ = played
    legal = rollout.observations.legal_actions()
    assert legal is not None
    assert not legal.all()
    assert legal.gather(-1, rollout.actions.unsqueeze(-1)).all()


def test_who_acts(played: tuple[Rollout, Recorder]) -> None:
    rollout, _ = played
    alive = rollout.observations.alive
    assert alive is not None
    assert torch.equal(rollout.acting, rollout.valid.unsqueeze(-1) & alive)
    assert (rollout.actions[~alive] == NO_OP).all()


class WithoutMasks(Wrapped):
    """Agents die, but there are no action masks to say that the dead can only do nothing."""

    @property
    def spec(self) -> EnvironmentSpec:
        return replace(self.inner.spec, action_masks=False)

    def reset(self, games: Tensor | None = None) -> Observation:
        return replace(self.inner.reset(games), action_mask=None)

    def step(self, actions: Tensor) -> StepResult:
        result = self.inner.step(actions)
        return replace(
            result, observation=replace(result.observation, action_mask=None)
        )


def test_the_dead_do_nothing_without_masks_too() -> None:
    rollout, _ = _played(
        WithoutMasks(games=GAMES, device="cpu", generator=_generator(0))
    )
    alive = rollout.observations.alive
    assert alive is not None
    assert (~alive & rollout.valid.unsqueeze(-1)).any()
    assert (rollout.actions[~alive] == NO_OP).all()


def test_team_reward_is_given_to_everybody_where_there_is_no_other() -> None:
    rollout, _ = _played(
        FME(
            FMEConfig(name="fme", agents=4, tag="1A1B1C"),
            games=8,
            device="cpu",
            generator=_generator(0),
        )
    )
    assert torch.equal(
        rollout.reward, rollout.team_reward.unsqueeze(-1).expand(-1, -1, 4)
    )
    assert rollout.valid.all()
    assert rollout.level is not None
    assert torch.equal(rollout.level, torch.arange(3).unsqueeze(-1).expand(-1, 8))


def test_with_and_without_the_table_the_same_games_are_played() -> None:
    config = FMEConfig(name="fme", agents=4, tag="1A2B2C")
    environments = [
        FME(config, games=256, device="cpu", generator=_generator(0)) for _ in range(2)
    ]
    host = PPOMA(PPOMAConfig(name="ppo_ma"), environments[0].spec, _generator(1))
    collect = partial(
        Collector.collect, host=host, exploration=PLAIN, progress=Progress()
    )
    with_table = collect(Collector(environments[0], _generator(2), use_table=True))
    without = collect(Collector(environments[1], _generator(2), use_table=False))
    assert with_table.table is not None
    assert without.table is None
    assert without.observations.row is None
    assert torch.equal(with_table.actions, without.actions)
    assert torch.equal(with_table.team_reward, without.team_reward)
    written = look_up(with_table.observations, with_table.table)
    assert without.observations.features is not None
    assert written.features is not None
    assert torch.equal(written.features, without.observations.features)


def test_rows_and_samples() -> None:
    """What is computed on the table's rows comes to the samples that saw them."""
    environment = FME(
        FMEConfig(name="fme", agents=3, tag="1A1B1C"),
        games=5,
        device="cpu",
        generator=_generator(0),
    )
    host = PPOMA(PPOMAConfig(name="ppo_ma"), environment.spec, _generator(1))
    rollout = Collector(environment, _generator(2)).collect(host, PLAIN, Progress())
    distinct = DistinctObservations(rollout)
    features = distinct.observations.features
    assert features is not None
    assert features.shape == (3, 3, 4)
    assert rollout.table is not None
    seen = look_up(rollout.observations, rollout.table).features
    assert seen is not None
    assert torch.equal(distinct.at_steps(features), seen)
    last = look_up(rollout.last_observation, rollout.table).features
    assert last is not None
    assert torch.equal(distinct.at_ends(features), last)


def _refilled(games: int, episodes: int, seed: int) -> tuple[Rollout, Numbered]:
    environment = Numbered(games=games, device="cpu", generator=_generator(seed))
    host = CountsSteps(environment.spec)
    collector = Collector(environment, _generator(seed + 1), episodes=episodes)
    return collector.collect(host, PLAIN, Progress()), environment


@given(games=st.integers(1, 9), extra=st.integers(-3, 20), seed=seeds())
@settings(max_examples=40)
def test_games_are_started_anew_until_all_episodes_are_played(
    games: int, extra: int, seed: int
) -> None:
    episodes = max(1, games + extra)
    rollout, environment = _refilled(games, episodes, seed)
    assert environment.begun == max(games, episodes)
    steps = torch.arange(len(rollout.valid)).unsqueeze(-1)
    on = rollout.valid
    assert on.shape[1] == rollout.actions.shape[1] == episodes
    lengths = on.sum(0)
    assert torch.equal(on, steps < lengths)
    # Each column is one episode, from its first step on, with a fresh memory.
    number, age = rollout.observations.state.unbind(-1)  # type: ignore[union-attr]
    assert torch.equal(number[on], torch.arange(episodes).float().expand_as(number)[on])
    assert torch.equal(age[on], steps.float().expand_as(age)[on])
    assert rollout.memory is not None
    assert torch.equal(rollout.memory["step"][on], age[on])
    # It ends with its first end, and what is seen and remembered there is its own.
    over = rollout.ended & on
    assert torch.equal(over, (steps == lengths - 1) & on)
    assert rollout.last_observation.state is not None
    assert rollout.last_memory is not None
    assert torch.equal(
        rollout.last_observation.state,
        torch.stack([torch.arange(episodes), lengths], -1).float(),
    )
    assert torch.equal(rollout.last_memory["step"], lengths.float())


def test_refilled_games_waste_fewer_steps() -> None:
    at_once, each_at_once = _refilled(64, 64, 0)
    refilled, each_refilled = _refilled(8, 64, 0)
    played = [float(rollout.valid.sum()) for rollout in (at_once, refilled)]
    paid = [64 * each_at_once.stepped, 8 * each_refilled.stepped]
    assert played[1] / paid[1] > played[0] / paid[0] + 0.1


def test_every_episode_has_its_own_coin() -> None:
    """As often as its probability says, whether it began first or last, and for all its steps."""
    environment = Numbered(games=50, device="cpu", generator=_generator(0))
    resonance = PolicyResonance(eta_max=0.3, ramp_episodes=0)
    coupled = CoupledExploration(EntropySampling(), resonance)
    rollout = Collector(environment, _generator(3), episodes=2000).collect(
        CountsSteps(environment.spec), coupled, Progress()
    )
    coin = rollout.component
    on = rollout.valid
    assert torch.equal(coin[on], coin[0].expand_as(coin)[on])
    for part in (coin[0][:50], coin[0][50:]):
        share = float(part.double().mean())
        deviation = (0.3 * 0.7 / len(part)) ** 0.5
        assert abs(share - 0.3) < 5 * deviation


def test_a_fixed_length_is_refilled_too() -> None:
    environment = FME(
        FMEConfig(name="fme", agents=3, tag="1A1B1C"),
        games=4,
        device="cpu",
        generator=_generator(0),
    )
    host = PPOMA(PPOMAConfig(name="ppo_ma"), environment.spec, _generator(1))
    rollout = Collector(environment, _generator(2), episodes=10).collect(
        host, PLAIN, Progress()
    )
    assert rollout.valid.shape == (3, 10)
    assert rollout.valid.all()
    row = rollout.observations.row
    assert row is not None
    assert torch.equal(row[..., 0], torch.arange(3).unsqueeze(-1).expand(3, 10))
