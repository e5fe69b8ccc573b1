"""Statistics over runs: symmetries, how often intervals hold the truth, rliable's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marl_core.evaluation.bootstrap import (
    Statistic,
    bootstrap_band,
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    mean_statistic,
    probability_of_improvement,
)
from marl_core.evaluation.statistics import Interval, share_interval

STATISTICS = pytest.mark.parametrize("statistic", [mean_statistic, interquartile_mean])
SCORES = arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 4)),
    elements=st.floats(-100, 100),
)
SIZES = st.sampled_from([(1, 1), (2, 1), (3, 2), (4, 1), (5, 3), (8, 2), (9, 1)])


def ends(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.mean, interval.high


@st.composite
def pairs(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """The scores of two algorithms on the same tasks, with many ties."""
    tasks = draw(st.integers(1, 3))
    of_either = st.integers(1, 6).flatmap(
        lambda runs: arrays(np.float64, (runs, tasks), elements=st.integers(-3, 3))
    )
    return draw(of_either), draw(of_either)


@STATISTICS
@given(scores=SCORES, shift=st.floats(-50, 50), scale=st.floats(0.1, 10))
def test_what_is_shifted_and_scaled_shifts_and_scales_the_interval(
    statistic: Statistic, scores: np.ndarray, shift: float, scale: float
) -> None:
    before = np.array(ends(bootstrap_interval(scores, statistic, resamples=200)))
    after = np.array(
        ends(bootstrap_interval(scale * scores + shift, statistic, resamples=200))
    )
    np.testing.assert_allclose(after, scale * before + shift, rtol=1e-9, atol=1e-9)


@STATISTICS
@given(scores=SCORES, seed=st.integers(0, 99))
def test_the_order_of_the_runs_does_not_matter(
    statistic: Statistic, scores: np.ndarray, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permuted(
        scores, axis=0
    )  # each task on its own
    np.testing.assert_allclose(
        statistic(shuffled), statistic(scores), rtol=1e-9, atol=1e-9
    )


@STATISTICS
@given(scores=SCORES)
def test_an_interval_lies_within_the_scores_and_is_the_same_each_time(
    statistic: Statistic, scores: np.ndarray
) -> None:
    interval = bootstrap_interval(scores, statistic, resamples=200)
    assert interval == bootstrap_interval(scores, statistic, resamples=200)
    assert interval.mean == float(statistic(scores))
    if len(scores) > 1:
        assert (
            scores.min() - 1e-9 <= interval.low <= interval.high <= scores.max() + 1e-9
        )


@STATISTICS
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_statistics_of_many_resamples_are_those_of_each(
    statistic: Statistic, sizes: tuple[int, int], seed: int
) -> None:
    scores = np.random.default_rng(seed).normal(size=(2, 3, *sizes))
    each = [[statistic(scores[i, j]) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(statistic(scores), each, rtol=1e-12, atol=1e-12)


@given(
    seed=st.integers(0, 99), outlier=st.floats(10, 1e12), sign=st.sampled_from([-1, 1])
)
def test_one_outlier_among_many_moves_the_mean_but_not_the_interquartile_mean(
    seed: int, outlier: float, sign: int
) -> None:
    scores = np.random.default_rng(seed).uniform(size=(8, 2))
    extreme = scores.copy()
    most_extreme = np.unravel_index((sign * scores).argmax(), scores.shape)
    extreme[most_extreme] = sign * outlier
    assert interquartile_mean(extreme) == interquartile_mean(scores)
    assert abs(mean_statistic(extreme) - mean_statistic(scores)) > 0.5


def test_interquartile_means_by_hand() -> None:
    def of(*scores: float) -> float:
        return float(interquartile_mean(np.array(scores, float)[:, None]))

    assert of(7) == 7
    assert of(1, 3, 8) == 4  # fewer than four: nothing is left out
    assert of(1, 3, 5, 100) == 4
    assert of(100, 3, 5, 7, 1) == 5
    assert of(-9, -8, 1, 2, 3, 4, 50, 60) == 2.5


@pytest.mark.parametrize(
    ("statistic", "tasks"),
    [(mean_statistic, 1), (mean_statistic, 3), (interquartile_mean, 3)],
)
def test_intervals_hold_the_truth_in_about_95_of_100_cases(
    statistic: Statistic, tasks: int
) -> None:
    random = np.random.default_rng(0)
    truth = 3.0 + 10 * np.arange(
        tasks
    )  # tasks of very different scores, whose spread is no uncertainty
    expected = float(truth.mean())
    held = []
    for seed in range(400):
        scores = truth + random.normal(size=(30, tasks)) * (
            1.0 if statistic is mean_statistic else 3.0
        )
        interval = bootstrap_interval(scores, statistic, seed=seed, resamples=500)
        held.append(interval.low <= expected <= interval.high)
        if (
            tasks == 3 and statistic is mean_statistic
        ):  # were runs of all tasks one stratum, it would be 10 times wider
            assert interval.high - interval.low < 0.7
    assert 0.91 <= np.mean(held) <= 0.985


def test_the_interval_of_a_mean_is_near_the_normal_one() -> None:
    scores = np.random.default_rng(1).normal(size=(200, 1))
    interval = bootstrap_interval(scores)
    half = 1.96 * scores.std() / 200**0.5
    np.testing.assert_allclose(
        ends(interval),
        [interval.mean - half, scores.mean(), interval.mean + half],
        atol=0.01,
    )
    assert ends(bootstrap_interval(scores, seed=1)) != ends(interval)


@STATISTICS
def test_one_run_says_nothing_about_the_spread(statistic: Statistic) -> None:
    assert bootstrap_interval(np.array([[1.0, 3.0]]), statistic) == Interval(
        2.0, -np.inf, np.inf
    )


@STATISTICS
@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_nothing_is_known_where_a_score_is_no_number(
    statistic: Statistic, score: float
) -> None:
    interval = bootstrap_interval(np.array([[1.0], [score], [2.0]]), statistic)
    assert not np.isfinite(interval.mean)
    assert (interval.low, interval.high) == (-np.inf, np.inf)
    improvement = improvement_interval(np.array([[1.0], [np.nan]]), np.zeros((3, 1)))
    assert np.isnan(improvement.mean)
    assert (improvement.low, improvement.high) == (0, 1)


def test_bands_are_intervals_point_by_point() -> None:
    random = np.random.default_rng(2)
    curves = random.normal(size=(12, 3)).cumsum(axis=1)
    band = bootstrap_band(curves)
    for point in range(3):
        interval = bootstrap_interval(curves[:, point : point + 1])
        np.testing.assert_allclose(
            band[:, point], [interval.low, interval.high], atol=0.05
        )
    holed = curves.copy()
    holed[4, 1] = np.nan
    np.testing.assert_allclose(bootstrap_band(holed)[:, [0, 2]], band[:, [0, 2]])
    assert bootstrap_band(holed)[:, 1].tolist() == [-np.inf, np.inf]
    assert bootstrap_band(curves[:1]).tolist() == [[-np.inf] * 3, [np.inf] * 3]


@given(both=pairs())
def test_either_is_better_or_they_tie(both: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = both
    assert probability_of_improvement(x, y) + probability_of_improvement(
        y, x
    ) == pytest.approx(1)
    assert probability_of_improvement(x, x) == pytest.approx(0.5)
    assert 0 <= probability_of_improvement(x, y) <= 1


@given(both=pairs(), seed=st.integers(0, 99))
def test_improvement_is_a_matter_of_order_alone(
    both: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    x, y = both
    shuffled = np.random.default_rng(seed).permuted(x, axis=0)
    expected = probability_of_improvement(x, y)
    assert probability_of_improvement(np.exp(shuffled), np.exp(y)) == pytest.approx(
        expected
    )
    by_hand = [
        np.mean(
            [
                1.0 if a > b else 0.5 if a == b else 0.0
                for a in x[:, task]
                for b in y[:, task]
            ]
        )
        for task in range(x.shape[1])
    ]
    assert expected == pytest.approx(np.mean(by_hand))


@given(both=pairs())
def test_intervals_of_improvement(both: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = both
    interval = improvement_interval(x, y, resamples=200)
    assert interval == improvement_interval(x, y, resamples=200)
    assert interval.mean == probability_of_improvement(x, y)
    assert -1e-9 <= interval.low <= interval.high <= 1 + 1e-9
    if min(len(x), len(y)) == 1:
        assert (interval.low, interval.high) == (0, 1)
    elif (x.min(axis=0) > y.max(axis=0)).all():
        np.testing.assert_allclose(ends(interval), 1)


def test_intervals_of_improvement_hold_the_truth() -> None:
    random = np.random.default_rng(3)
    held = []
    for seed in range(400):  # P(N(1, 1) > N(0, 1)) = 0.7602, and 1/2 on the other task
        x, y = random.normal([1, 0], size=(20, 2)), random.normal(size=(25, 2))
        interval = improvement_interval(x, y, seed=seed, resamples=500)
        held.append(interval.low <= (0.7602 + 0.5) / 2 <= interval.high)
    assert 0.91 <= np.mean(held) <= 0.985


def test_rliable_finds_the_same() -> None:
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    random = np.random.default_rng(4)
    x, y = (
        random.normal([0, 5, 9], size=(10, 3)).round(1),
        random.normal([0.5, 5, 8], size=(7, 3)).round(1),
    )
    pairs_of = {
        "mean": (mean_statistic, metrics.aggregate_mean),
        "iqm": (interquartile_mean, metrics.aggregate_iqm),
    }
    for ours, theirs in pairs_of.values():
        for scores in (x, y, x[:1], x[:3, :1], y[:5, :1]):
            assert float(ours(scores)) == pytest.approx(
                float(theirs(scores)), rel=1e-12
            )
        # rliable draws from the global generator.
        np.random.seed(0)  # noqa: NPY002
        _, found = library.get_interval_estimates(
            {"x": x}, lambda s, f=theirs: np.array([f(s)]), reps=4000
        )
        interval = bootstrap_interval(x, ours)
        width = interval.high - interval.low
        np.testing.assert_allclose(
            [interval.low, interval.high], found["x"][:, 0], atol=0.06 * width
        )
    expected = metrics.probability_of_improvement(x, y)
    assert probability_of_improvement(x, y) == pytest.approx(float(expected), rel=1e-12)
    _, found = library.get_interval_estimates(
        {"xy": (x, y)},
        lambda a, b: np.array([metrics.probability_of_improvement(a, b)]),
        reps=1000,
    )
    improvement = improvement_interval(x, y)
    np.testing.assert_allclose(
        [improvement.low, improvement.high], found["xy"][:, 0], atol=0.03
    )


@pytest.mark.parametrize("trials", [1, 2, 9, 26, 192])
def test_shares_stay_within_what_is_possible(trials: int) -> None:
    """Wilson's upper end for 9 of 9 is more than 1 by a rounding error, as computed."""
    none = share_interval(torch.zeros(trials, dtype=torch.bool))
    every = share_interval(torch.ones(trials, dtype=torch.bool))
    assert none.mean == none.low == 0
    assert every.mean == every.high == 1
    assert none.high == pytest.approx(1 - every.low)
    assert 0 < none.high < 1
