"""Pieces of episodes: what one rollout ends with, the next one begins with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.collection.pieces import PieceCollector
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.testing.strategies import seeds
from marl_core.types import Moment, Observation, Pieces, Progress, Rollout
from marl_pr.coupling import PolicyResonance
from tests.support.broken_environments import Wrapped
from tests.support.numbered_games import CountsSteps, Numbered

PLAIN = CoupledExploration(EntropySampling())


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _collector(games: int, steps: int, seed: int) -> tuple[PieceCollector, Numbered]:
    environment = Numbered(games=games, device="cpu", generator=_generator(seed))
    return PieceCollector(environment, _generator(seed + 1), steps), environment


def _collected(games: int, steps: int, seed: int, rollouts: int) -> list[Rollout]:
    collector, environment = _collector(games, steps, seed)
    host = CountsSteps(environment.spec)
    return [collector.collect(host, PLAIN, Progress()) for _ in range(rollouts)]


def _pieces(rollout: Rollout) -> Pieces:
    assert rollout.pieces is not None
    return rollout.pieces


def _state(observation: Observation) -> Tensor:
    assert observation.state is not None
    return observation.state


@given(games=st.integers(1, 6), steps=st.integers(1, 9), seed=seeds())
@settings(max_examples=40)
def test_each_game_has_as_many_steps_in_every_rollout(
    games: int, steps: int, seed: int
) -> None:
    for rollout in _collected(games, steps, seed, 3):
        on = rollout.valid
        assert int(on.sum()) == games * steps
        lengths = on.sum(0)
        assert bool((lengths > 0).all())
        assert torch.equal(on, torch.arange(len(on)).unsqueeze(-1) < lengths)
        # Every piece ends with its last step, and nowhere else.
        last = torch.arange(len(on)).unsqueeze(-1) == lengths - 1
        assert torch.equal(rollout.ended & on, last)
        assert int(_pieces(rollout).cut.sum()) <= games


@given(games=st.integers(1, 6), steps=st.integers(1, 9), seed=seeds())
@settings(max_examples=40)
def test_the_pieces_of_an_episode_are_the_episode(
    games: int, steps: int, seed: int
) -> None:
    """Joined, they have all its steps in order, once, with the memory that belongs there."""
    age: dict[int, int] = {}
    earned: dict[int, float] = {}
    over: set[int] = set()
    for rollout in _collected(games, steps, seed, 4):
        pieces = _pieces(rollout)
        assert rollout.memory is not None
        assert rollout.last_memory is not None
        for column, length in enumerate(rollout.valid.sum(0).tolist()):
            number, first = _state(rollout.observations)[0, column].tolist()
            episode = int(number)
            assert episode not in over
            assert first == age.get(episode, 0)
            steps_seen = _state(rollout.observations)[:length, column, 1]
            assert torch.equal(steps_seen, first + torch.arange(length))
            assert torch.equal(rollout.memory["step"][:length, column], steps_seen)
            # What is seen and remembered after the piece is the next step of the same episode.
            assert _state(rollout.last_observation)[column].tolist() == [
                number,
                first + length,
            ]
            assert rollout.last_memory["step"][column] == first + length
            assert pieces.earned[column] == pytest.approx(earned.get(episode, 0.0))
            gained = float(rollout.team_reward[:length, column].sum())
            earned[episode] = earned.get(episode, 0.0) + gained
            age[episode] = int(first) + length
            if pieces.cut[column]:
                assert rollout.truncated[length - 1, column]
                assert not rollout.terminated[length - 1, column]
            else:
                over.add(episode)


def test_pieces_are_cut_from_the_games_that_would_be_played_whole() -> None:
    """With one long rollout, its first episodes are those that whole ones would be."""
    collector, environment = _collector(4, 40, 5)
    long = collector.collect(CountsSteps(environment.spec), PLAIN, Progress())
    twin = Numbered(games=4, device="cpu", generator=_generator(5))
    whole = Collector(twin, _generator(6)).collect(
        CountsSteps(twin.spec), PLAIN, Progress()
    )
    # Until the first game ends, the same numbers are drawn.
    until = int(whole.valid.sum(0).min())
    assert torch.equal(long.actions[:until, :4], whole.actions[:until])
    assert torch.equal(long.reward[:until, :4], whole.reward[:until])


def _with_eta(
    eta_max: float,
    ramp_episodes: int,
    **settings: Any,
) -> CoupledExploration:
    resonance = PolicyResonance(
        eta_max=eta_max,
        ramp_episodes=ramp_episodes,
        **settings,
    )
    return CoupledExploration(EntropySampling(), resonance)


def test_a_team_keeps_its_coin_for_the_whole_episode() -> None:
    """A component that holds for an episode does so over all its pieces."""
    collector, environment = _collector(30, 2, 1)
    host = CountsSteps(environment.spec)
    coin: dict[int, int] = {}
    for _ in range(12):
        rollout = collector.collect(host, _with_eta(0.5, 0), Progress())
        on = rollout.valid
        number = _state(rollout.observations)[..., 0].long()
        pairs = zip(
            number[on].tolist(),
            rollout.component[on].tolist(),
            strict=True,
        )
        for episode, component in pairs:
            assert coin.setdefault(episode, component) == component
    share = sum(coin.values()) / len(coin)
    assert len(coin) > 60
    assert share == pytest.approx(0.5, abs=5 * (0.25 / len(coin)) ** 0.5)


class Endless(Wrapped):
    """Games in which every agent lives and that nothing ends but the limit of steps."""

    def step(self, actions: Tensor) -> Any:
        result = self.inner.step(torch.ones_like(actions))
        return replace(
            result,
            terminated=torch.zeros_like(result.terminated),
            truncated=torch.zeros_like(result.truncated),
        )


class Undecided(CountsSteps):
    """Prefers one action a little, so that resonance and exploration differ."""

    def scores(self, observation: Observation, memory: Any) -> tuple[Tensor, Any]:
        games = len(memory["step"])
        scores = torch.zeros(games, self.spec.agents, self.spec.actions)
        scores[..., 1] = 0.7
        return scores, memory


def test_frequencies_are_the_agents_own_while_eta_grows() -> None:
    """Teams that have drawn at another eta act by that eta (Eq. 16)."""
    games = 20_000
    environment = Endless(games=games, device="cpu", generator=_generator(0))
    collector = PieceCollector(environment, _generator(3), 2)
    host = Undecided(environment.spec)
    exploration = _with_eta(0.5, 100, p_min=0.05)
    at = [Progress(stage_episodes=episodes) for episodes in (40, 100)]
    collector.collect(host, exploration, at[0])
    rollout = collector.collect(host, exploration, at[1])
    legal = rollout.observations.action_mask
    assert legal is not None
    free = legal.all(-1)
    own = torch.zeros(environment.spec.actions)
    own[1] = 0.7
    expected = float(own.softmax(-1)[1])
    found = (rollout.actions[free] == 1).double().mean()
    assert float(found) == pytest.approx(expected, abs=0.006)
    # By the present eta alone it would be this, and not the agents' own.
    present = exploration.coupling.weights(Moment(at[1], torch.device("cpu")))[1]
    drawn = float(rollout.component.double().mean())
    assert abs(drawn - float(present)) > 0.1


def test_nothing_is_saved_before_the_first_step() -> None:
    collector, _ = _collector(6, 4, 9)
    assert collector.state_dict() == {}
