"""The tables of ``marl report``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marl_core.errors import UserError
from marl_core.evaluation.bootstrap import bootstrap_interval, improvement_interval
from marl_core.reports.experiments import (
    Experiment,
    compared_metrics,
    same_environment,
)
from marl_core.reports.one_experiment import draw_one
from marl_core.reports.reading import read_experiments
from marl_core.reports.tables import final_table, improvement_tables
from tests.support.reported_runs import AT, Change, agents, cells, lines_of


def test_final_tables_agree_with_the_metrics(made: Callable[..., Path]) -> None:
    rewards = (0.1, 0.2, 0.3, 0.7)
    (experiment,) = read_experiments(
        [made(str(seed), seed, reward=reward) for seed, reward in enumerate(rewards)]
    )
    table = final_table(experiment)
    assert str(table.title) == "ppo_ma on fme: seeds 0, 1, 2, 3, after 208 episodes"
    interval = bootstrap_interval(np.array(rewards)[:, None])
    mean = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    found = {row[0]: row[1:] for row in cells(table)}
    assert list(found) == [
        "return (greedy, exact)",
        "return (sampled)",
        *(f"levels {kind} (greedy, exact)" for kind in "ABC"),
    ]
    assert found["levels C (greedy, exact)"][0] == mean
    assert found["return (sampled)"][0].startswith(f"{3 * interval.mean:.3f} [")
    assert found["return (sampled)"][1].startswith("0.750 [")  # of 0.2 and 0.3
    assert cells(final_table(experiment, "coupling/together"))[0][:2] == [
        "coupling/together",
        "0.750 [0.750, 0.750]",
    ]


def test_one_run_and_unfinished_ones(made: Callable[..., Path]) -> None:
    (one,) = read_experiments([made("a", 0)])
    assert cells(final_table(one))[0][1:] == ["1.500", "1.500"]
    assert final_table(one).caption == "one run: no intervals"
    (three,) = read_experiments(
        [made("b", 1), made("c", 2, at=AT[:2]), made("d", 3, at=AT[:3])]
    )
    assert (
        str(final_table(three).title)
        == "ppo_ma on fme: seeds 1, 2, 3, after 80 to 208 of 208 episodes"
    )
    (curve, *_) = lines_of(draw_one(three))
    assert curve[1] == [0, 80]  # as far as all of them came


def without_closed_form(experiment: Experiment) -> Experiment:
    results = [
        replace(
            one,
            metrics={
                name: values
                for name, values in one.metrics.items()
                if not name.startswith("exact")
            },
        )
        for one in experiment.results
    ]
    return replace(experiment, results=tuple(results))


def test_without_a_closed_form_the_played_return_counts(
    made: Callable[..., Path],
) -> None:
    exact, other = read_experiments([made("a"), made("b", 0, agents(8))])
    other = without_closed_form(other)
    assert [row[0] for row in cells(final_table(other))][:2] == [
        "return (greedy)",
        "return (sampled)",
    ]
    assert compared_metrics([exact], None) == ["exact/return"]
    assert compared_metrics([exact, other], None) == ["greedy/return"]
    assert compared_metrics([exact, other], "sampled/C1") == ["sampled/C1"]
    with pytest.raises(
        UserError,
        match=r"b: no metric 'exact/C1' was evaluated; there are coupling/apart, ",
    ):
        compared_metrics([exact, other], "exact/C1")


def test_improvement_is_over_the_first_on_the_same_environment(
    made: Callable[..., Path],
) -> None:
    def several(name: str, change: Change, *rewards: float, **run: Any) -> list[Path]:
        return [
            made(f"{name}{i}", i, change, reward, **run)
            for i, reward in enumerate(rewards)
        ]

    paths = [
        *several("first", agents(5), 0.1, 0.3, 0.5),
        *several("elsewhere", agents(8), 0.1, 0.2),
        *several("better", agents(5), 0.4, 0.5, 0.6, second="ppo_ma"),
        *several("worse", agents(5), 0.0, second="pr_fast"),
    ]
    experiments = read_experiments(paths)
    assert [len(group) for group in same_environment(experiments)] == [3, 1]
    (table,) = improvement_tables(experiments)
    assert str(table.title) == (
        "probability of improvement over entropy_sampling + policy_resonance, "
        "agents=5, variant=pr, exact/return"
    )
    interval = improvement_interval(
        experiments[2].final("exact/return"), experiments[0].final("exact/return")
    )
    assert interval.mean == pytest.approx((2 + 2.5 + 3) / 9)
    assert cells(table) == [
        [
            experiments[2].name,
            f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]",
        ],
        [experiments[3].name, "0.000 [0.000, 1.000]"],  # a single run
    ]
    assert improvement_tables(experiments[:2]) == []
