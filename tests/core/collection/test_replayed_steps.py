"""Single steps out of the replay are steps that were played, each as likely as any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.collection.replay import Replay
from marl_core.collection.replayed_steps import Places, steps_at
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.exploration.epsilon_greedy import EpsilonGreedy
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.learning import LearningContext
from marl_core.testing.strategies import seeds
from marl_core.types import Observation, Progress, Rollout
from marl_core.types.rollout import has_steps
from marl_pr.coupling import PolicyResonance
from tests.support.numbered_games import CountsSteps, Numbered
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _played(seed: int, episodes: int = 12) -> tuple[Rollout, Numbered]:
    environment = Numbered(games=episodes, device="cpu", generator=_generator(seed))
    exploration = CoupledExploration(EntropySampling(), PolicyResonance(eta_max=0.5))
    collector = Collector(environment, _generator(seed + 1))
    host = CountsSteps(environment.spec)
    return collector.collect(host, exploration, Progress()), environment


def _drawn(seed: int, steps: int) -> tuple[Rollout, Rollout]:
    played, environment = _played(seed)
    replay = Replay(20, environment.spec)
    replay.add(played)
    return played, replay.sample_steps(steps, _generator(seed + 2), Progress())


def _state(observation: Observation) -> Tensor:
    assert observation.state is not None
    return observation.state


@given(seed=seeds(), steps=st.integers(1, 30))
@settings(max_examples=30)
def test_each_is_a_step_that_was_played(seed: int, steps: int) -> None:
    played, drawn = _drawn(seed, steps)
    assert drawn.valid.shape == (1, steps)
    assert bool(drawn.valid.all())
    episode, age = _state(drawn.observations)[0].long().unbind(-1)
    for name in ("actions", "reward", "team_reward", "terminated", "component"):
        assert torch.equal(getattr(drawn, name)[0], getattr(played, name)[age, episode])
    # What follows is the next step of the same episode, also at its end.
    after = torch.stack([episode, age + 1], -1).float()
    assert torch.equal(_state(drawn.last_observation), after)
    over = played.ended[age, episode]
    assert drawn.pieces is not None
    assert torch.equal(drawn.pieces.cut, ~over)
    assert torch.equal(drawn.truncated[0], ~played.terminated[age, episode])
    gained = (played.team_reward * played.valid).cumsum(0) - played.team_reward
    assert torch.allclose(drawn.pieces.earned, gained[age, episode], atol=1e-6)
    seen, last = drawn.observations.features, drawn.last_observation.features
    assert seen is not None
    assert last is not None
    assert played.observations.features is not None
    assert torch.equal(seen[0], played.observations.features[age, episode])
    assert played.last_observation.features is not None
    assert torch.equal(last[over], played.last_observation.features[episode[over]])


def test_each_is_as_likely_as_any_other() -> None:
    steps = 40_000
    played, drawn = _drawn(3, steps)
    episode, age = _state(drawn.observations)[0].long().unbind(-1)
    counts = torch.zeros(played.valid.shape)
    counts.index_put_((age, episode), torch.ones(steps), accumulate=True)
    expected = steps / float(played.valid.sum())
    found = counts[played.valid]
    assert bool((counts[~played.valid] == 0).all())
    assert float((found - expected).abs().max()) < 6 * expected**0.5


@pytest.mark.parametrize("mixer", ["monotonic", "sum"])
def test_targets_are_one_step_ones(mixer: Literal["monotonic", "sum"]) -> None:
    """All single steps of some episodes give the loss of the episodes with lambda = 0."""
    played, environment = _played(5)
    spec = replace(
        environment.spec, state_features=2
    )  # the episode's number, and the step
    losses = []
    for batch, td_lambda in ((_every_step(played), 0.6), (played, 0.0)):
        config = QMIXConfig(mixer=mixer, hidden=8, td_lambda=td_lambda)
        host = QMIX(config, spec, _generator(7))
        loss = next(host.losses(batch, EpsilonGreedy(), LearningContext()))
        losses.append(float(loss.total.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def _every_step(played: Rollout) -> Rollout:
    """Each step of a rollout once."""
    step, episode = played.valid.nonzero().unbind(-1)
    last = step == played.valid.sum(0)[episode] - 1
    kept = {
        name: value.transpose(0, 1) if has_steps(name) else value
        for name, value in played.tensors().items()
    }
    return steps_at(Places(episode, step, last), kept, None, Progress())


def _data(**host: Any) -> dict[str, Any]:
    data = run_data("pr", host="qmix")
    data["host"] = {**data["host"], "batch_steps": 60, **host}
    return data


def test_a_run_that_was_interrupted_is_the_same(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole", _data())
    go_on(whole)
    point = (Replay, "sample_steps", 6, True)
    broken = interrupted(tmp_path / "broken", _data(), point)
    assert differences(outcome(broken), outcome(whole)) == []
    plain = start(tmp_path / "plain", run_data("pr", host="qmix"))
    go_on(plain)
    assert differences(outcome(plain), outcome(whole)) != []


def test_a_memory_needs_whole_episodes() -> None:
    with pytest.raises(ValidationError, match="a gru learns from whole episodes"):
        QMIXConfig(body="gru", batch_steps=60)
