"""Evaluation: without resonance, without any effect on training, and in agreement with the exact values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.evaluation.evaluate import Evaluation, Mode, RawPolicy, evaluate
from marl_core.evaluation.statistics import mean_interval, share_interval
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.registry import build
from marl_core.rng import generator
from marl_core.training.stages import prepare
from marl_core.types import Progress
from marl_pr.strategy import PolicyResonance
from tests.support.runs import differences, go_on, outcome, run_data, start

#: In the second stage, where resonance is at its full strength.
RESONANT = Progress(episodes=1000, stage=1, stage_episodes=500, updates=50)


def resonant_run() -> tuple[RunConfig, HostAlgorithm, ExplorationStrategy]:
    """A host with preferences of some strength, and policy resonance at the full eta."""
    run = RunConfig.model_validate(run_data("pr"))
    host, _, _ = prepare(run)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(0.6 * torch.randn(parameter.shape, generator=random))
    return run, host, build("exploration", run.stage_exploration(1))


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    run, host, exploration = resonant_run()
    return evaluate(run, host, exploration, RESONANT, 4000)


def test_evaluating_more_often_changes_nothing(tmp_path: Path) -> None:
    outcomes: list[dict[str, Any]] = []
    for every, episodes in ((1, 16), (100, 4)):
        folder = start(
            tmp_path / str(every),
            run_data(evaluate_every=every, evaluation_episodes=episodes),
        )
        go_on(folder)
        outcomes.append(outcome(folder)["checkpoint"])
    assert differences(outcomes[0], outcomes[1]) == []


def test_evaluation_is_a_function_of_seed_and_update() -> None:
    run, host, exploration = resonant_run()
    results = [
        evaluate(run, host, exploration, progress, 20)
        for progress in (RESONANT, RESONANT)
    ]
    assert results[0] == results[1]
    assert (
        evaluate(run, host, exploration, replace(RESONANT, updates=51), 20)
        != results[0]
    )
    assert (
        evaluate(run.model_copy(update={"seed": 8}), host, exploration, RESONANT, 20)
        != results[0]
    )


def test_greedy_agrees_with_the_exact_value(evaluation: Evaluation) -> None:
    for score in (evaluation.team_return, *(score for _, score in evaluation.levels)):
        assert score.exact is not None
        # Three times as wide as the 95 % interval; plus rounding where nothing is random.
        half = 3 * (score.greedy.mean - score.greedy.low) + 1e-5
        assert abs(score.greedy.mean - score.exact) <= half


def test_sampled_agrees_with_the_exact_value_of_the_sampled_policy(
    evaluation: Evaluation,
) -> None:
    run, host, exploration = resonant_run()
    environment = build(
        "environment",
        run.environment,
        games=1,
        device="cpu",
        generator=torch.Generator(),
    )
    table = environment.distinct_observations
    with torch.no_grad():
        scores, _ = host.scores(table, {})
        joint = RawPolicy(exploration, "sampled").joint_policy(scores, None, RESONANT)
        exact = environment.expected_rewards(joint)
        resonant = environment.expected_rewards(
            exploration.joint_policy(scores, None, RESONANT)
        )
    sampled = [score.sampled for _, score in evaluation.levels]
    misses = [
        abs(s.mean - float(e)) / (s.mean - s.low + 1e-5)
        for s, e in zip(sampled, exact, strict=True)
    ]
    assert max(misses) < 3
    # With resonance it would be another value, and the test would see it.
    assert (
        max(
            abs(s.mean - float(e)) / (s.mean - s.low + 1e-5)
            for s, e in zip(sampled, resonant, strict=True)
        )
        > 6
    )


def test_resonance_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> JointPolicy:
        raise AssertionError("evaluation explores in resonance")

    run, host, exploration = resonant_run()
    assert float(exploration.component_weights(RESONANT)[1]) == pytest.approx(0.75)
    monkeypatch.setattr(PolicyResonance, "joint_policy", refuse)
    monkeypatch.setattr(PolicyResonance, "component_weights", refuse)
    evaluate(run, host, exploration, RESONANT, 4)


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_raw_policy(mode: Mode) -> None:
    """Agents for themselves, by the wrapped strategy's own policies; no coin, no bonus, legal actions only."""
    _, _, exploration = resonant_run()
    raw = RawPolicy(exploration, mode)
    scores = torch.randn(6, 5, 10, generator=torch.Generator().manual_seed(2))
    legal = torch.rand(6, 5, 10, generator=torch.Generator().manual_seed(3)) < 0.5
    legal[..., 0] = True
    joint, log_policy = (
        raw.joint_policy(scores, legal, RESONANT),
        raw.log_policy(scores, legal, RESONANT),
    )
    assert torch.equal(log_policy, exploration.log_policy(scores, legal, RESONANT))
    assert torch.equal(raw.component_weights(RESONANT), torch.ones(1))
    assert not raw.redraw_every_step
    assert raw.accepts == exploration.accepts
    (component,) = joint.components
    if mode == "sampled":
        torch.testing.assert_close(component, log_policy.exp())
    else:
        assert torch.equal(
            component.argmax(-1), scores.masked_fill(~legal, -torch.inf).argmax(-1)
        )
        assert torch.equal(component.sum(-1), torch.ones(6, 5))
        assert int(component.count_nonzero()) == 6 * 5
    assert not bool(component[~legal].any())


def test_levels_add_up_to_the_return(evaluation: Evaluation) -> None:
    levels = [score for _, score in evaluation.levels]
    assert [level.name for level, _ in evaluation.levels] == ["A1", "B1", "C1"]
    total = evaluation.team_return
    assert total.exact == pytest.approx(
        sum(score.exact for score in levels if score.exact is not None), abs=1e-5
    )
    assert total.greedy.mean == pytest.approx(
        sum(score.greedy.mean for score in levels), abs=1e-5
    )
    assert total.sampled.mean == pytest.approx(
        sum(score.sampled.mean for score in levels), abs=1e-5
    )


def test_intervals_cover_as_often_as_they_say() -> None:
    random = torch.Generator().manual_seed(4)
    covered = 0
    for _ in range(1000):
        interval = mean_interval(torch.rand(100, generator=random))
        covered += interval.low <= 0.5 <= interval.high
    assert 930 <= covered <= 970


def test_one_sample_says_nothing_of_its_error() -> None:
    interval = mean_interval(torch.tensor([2.0]))
    assert (interval.mean, interval.low, interval.high) == (
        2.0,
        -float("inf"),
        float("inf"),
    )


def test_win_rate() -> None:
    """The share of episodes won, counted one by one; outcomes of games long over do not count."""
    run = RunConfig.model_validate(
        {**run_data(), "environment": {"name": "marl_core.testing.practice:Practice"}}
    )
    host, _, _ = prepare(run)
    exploration = build("exploration", run.exploration)
    result = evaluate(run, host, exploration, Progress(), 200)
    assert result.win_rate is not None
    streams = [
        generator("cpu", run.seed, "evaluation", "sampled", part, 0)
        for part in ("play", "act")
    ]
    environment = build(
        "environment", run.environment, games=200, device="cpu", generator=streams[0]
    )
    rollout = Collector(environment, streams[1]).collect(
        host, RawPolicy(exploration), Progress()
    )
    assert rollout.won is not None
    won = 0
    for game in range(200):
        length = int(rollout.valid[:, game].sum())
        won += bool(rollout.won[length - 1, game])
    assert 0 < won < 200
    assert result.win_rate.sampled.mean == pytest.approx(won / 200)
    assert result.win_rate.sampled.low < won / 200 < result.win_rate.sampled.high
    assert result.win_rate.exact is None
    assert result.metrics()["sampled/win_rate"] == result.win_rate.sampled.mean
    assert result.as_json()["win_rate"] == result.win_rate.as_json()


def test_without_wins_there_is_no_win_rate(evaluation: Evaluation) -> None:
    assert evaluation.win_rate is None
    assert evaluation.as_json()["win_rate"] is None
    assert list(evaluation.scores()) == ["A1", "B1", "C1", "return"]


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_intervals_of_shares_cover_as_often_as_they_say(share: float) -> None:
    random, covered = torch.Generator().manual_seed(5), 0
    for _ in range(1000):
        interval = share_interval(torch.rand(100, generator=random) < share)
        covered += interval.low <= share <= interval.high
    assert 920 <= covered <= 985


def test_no_win_in_twenty_games_is_no_certainty() -> None:
    never, always = (
        share_interval(torch.zeros(20, dtype=torch.bool)),
        share_interval(torch.ones(20, dtype=torch.bool)),
    )
    assert never.mean == 0.0
    assert never.low == pytest.approx(0, abs=1e-9)
    assert never.high == pytest.approx(0.161, abs=1e-3)
    assert always.mean == 1.0
    assert always.low == pytest.approx(1 - 0.161, abs=1e-3)
