"""Evaluation: the coupling is taken out, training is not affected, and exact values agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from marl_core.abilities import HasExactReward
from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.evaluation.evaluate import Mode, evaluate, uncoupled
from marl_core.evaluation.scores import Evaluation
from marl_core.evaluation.statistics import mean_interval, share_interval
from marl_core.exploration.coupled import joint_policy
from marl_core.joint_policy import JointPolicy
from marl_core.observation_table import table_of
from marl_core.protocols import ExplorationStrategy
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, stage_exploration
from marl_core.types import Moment, Progress
from marl_pr.coupling import PolicyResonance
from tests.support.runs import differences, go_on, outcome, run_data, start

#: In the second stage, where resonance is at its full strength.
RESONANT = Progress(episodes=1000, stage=1, stage_episodes=500, updates=50)
#: When a team draws, outside of a game.
MOMENT = Moment(RESONANT, torch.device("cpu"))


def resonant_run() -> RunState:
    """A host with preferences of some strength, and policy resonance at the full eta."""
    state = first_state(RunConfig.model_validate(run_data("pr")))
    assert isinstance(state.host, nn.Module)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in state.host.parameters():
            parameter.add_(0.6 * torch.randn(parameter.shape, generator=random))
    exploration = stage_exploration(state.config, 1, state.spec)
    return replace(state, exploration=exploration, progress=RESONANT)


def law(
    team: ExplorationStrategy, scores: Tensor, legal: Tensor | None = None
) -> JointPolicy:
    """How a team acts by these scores."""
    weights = team.coupling.weights(MOMENT)
    joint = joint_policy(team, scores, legal, RESONANT, weights)
    assert isinstance(joint, JointPolicy)
    return joint


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(resonant_run(), 4000)


def test_evaluating_more_often_changes_nothing(tmp_path: Path) -> None:
    outcomes: list[dict[str, Any]] = []
    for every, episodes in ((1, 16), (100, 4)):
        folder = start(
            tmp_path / str(every),
            run_data(evaluate_every=every, evaluation_episodes=episodes),
        )
        go_on(folder)
        checkpoint = outcome(folder)["checkpoint"]
        # Of course more evaluations are more lines of metrics.
        del checkpoint["marl"]["logged"]
        outcomes.append(checkpoint)
    assert differences(outcomes[0], outcomes[1]) == []


def test_evaluation_is_a_function_of_seed_and_update() -> None:
    state = resonant_run()
    result = evaluate(state, 20)
    assert evaluate(state, 20) == result
    later = replace(state, progress=replace(RESONANT, updates=51))
    assert evaluate(later, 20) != result
    other_seed = state.config.model_copy(update={"seed": 8})
    assert evaluate(replace(state, config=other_seed), 20) != result


def test_greedy_agrees_with_the_exact_value(evaluation: Evaluation) -> None:
    for score in (evaluation.team_return, *(score for _, score in evaluation.levels)):
        assert score.exact is not None
        # Three times as wide as the 95 % interval; plus rounding where nothing is random.
        half = 3 * (score.greedy.mean - score.greedy.low) + 1e-5
        assert abs(score.greedy.mean - score.exact) <= half


def test_sampled_agrees_with_the_exact_value_of_the_sampled_policy(
    evaluation: Evaluation,
) -> None:
    state = resonant_run()
    scratch = torch.Generator()
    environment = build_environment(
        state.config.environment, games=1, device="cpu", generator=scratch
    )
    assert isinstance(environment, HasExactReward)
    table = table_of(environment)
    assert table is not None
    with torch.no_grad():
        scores, _ = state.host.scores(table, {})
        team = uncoupled(state.exploration.individual, "sampled")
        exact = environment.expected_rewards(law(team, scores))
        resonant = environment.expected_rewards(law(state.exploration, scores))
    assert misses(evaluation, exact) < 3
    # With resonance it would be another value, and the test would see it.
    assert misses(evaluation, resonant) > 6


def misses(evaluation: Evaluation, exact: Tensor) -> float:
    """By how many half intervals the sampled rewards are off, at the worst level."""
    sampled = [score.sampled for _, score in evaluation.levels]
    return max(
        abs(one.mean - float(value)) / (one.mean - one.low + 1e-5)
        for one, value in zip(sampled, exact, strict=True)
    )


def test_the_coupling_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> JointPolicy:
        raise AssertionError("evaluation explores in resonance")

    state = resonant_run()
    weights = state.exploration.coupling.weights(MOMENT)
    assert float(weights[1]) == pytest.approx(0.75)
    monkeypatch.setattr(PolicyResonance, "law", refuse)
    monkeypatch.setattr(PolicyResonance, "weights", refuse)
    evaluate(state, 4)


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_agents_for_themselves(mode: Mode) -> None:
    """By the strategy's own individual policies; nothing is shared, and only legal actions."""
    individual = resonant_run().exploration.individual
    team = uncoupled(individual, mode)
    scores = torch.randn(6, 5, 10, generator=torch.Generator().manual_seed(2))
    legal = torch.rand(6, 5, 10, generator=torch.Generator().manual_seed(3)) < 0.5
    legal[..., 0] = True
    joint = law(team, scores, legal)
    policy = individual.log_policy(scores, legal, RESONANT).exp()
    assert torch.equal(joint.individual, policy)
    assert torch.equal(team.coupling.weights(MOMENT), torch.ones(1))
    (component,) = joint.components
    if mode == "sampled":
        torch.testing.assert_close(component, policy)
    else:
        best = scores.masked_fill(~legal, -torch.inf).argmax(-1)
        assert torch.equal(component.argmax(-1), best)
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
    environment_data = {"name": "marl_core.testing.practice:Practice"}
    data = {**run_data(), "environment": environment_data}
    state = first_state(RunConfig.model_validate(data))
    result = evaluate(state, 200)
    assert result.win_rate is not None
    play, act = (
        generator("cpu", state.config.seed, "evaluation", "sampled", part, 0)
        for part in ("play", "act")
    )
    environment = build_environment(
        state.config.environment, games=200, device="cpu", generator=play
    )
    team = uncoupled(state.exploration.individual, "sampled")
    rollout = Collector(environment, act).collect(state.host, team, Progress())
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
