"""Environments of other libraries, with and without resonance."""

from __future__ import annotations

from typing import Any

import pytest

from marl_core.errors import UserError
from marl_pr.paper.registry import ITEMS, items_named
from marl_pr.paper.scale import PAPER, QUICK
from marl_pr.paper.strangers import Strangers
from marl_pr.paper.strangers_tasks import TASKS
from tests.support.paper_results import LOGGED, TWO_SEEDS, result_of

METRICS = (*LOGGED, "greedy/return", "sampled/return")
JOBS = Strangers().jobs(PAPER, TWO_SEEDS)


def test_each_environment_is_trained_on_with_and_without_resonance() -> None:
    assert len(TASKS) >= 10
    assert len({one.job.name for one in JOBS}) == len(JOBS) == 4 * len(TASKS)
    for plain, resonant in zip(JOBS[::2], JOBS[1::2], strict=True):
        ours: dict[str, Any] = plain.job.config.model_dump()
        theirs: dict[str, Any] = resonant.job.config.model_dump()
        differing = {name for name in ours if ours[name] != theirs[name]}
        assert differing == {"exploration"}
        exploration = theirs["exploration"]
        assert exploration["individual"] == ours["exploration"]
        assert exploration["eta_max"] == resonant.labels["eta_max"] == 0.5
        assert exploration["ramp_episodes"] == resonant.job.config.episodes // 2


def test_a_quick_run_is_short() -> None:
    for one in Strangers().jobs(QUICK, TWO_SEEDS):
        assert one.job.config.episodes <= 640


def test_every_environment_is_in_the_table_and_in_the_figure() -> None:
    results = [result_of(one, names=METRICS) for one in JOBS]
    table = Strangers().table(results)
    figure = Strangers().draw(results)
    titles = [axis.get_title() for axis in figure.axes]
    for task in TASKS:
        assert f"| {task.label} |" in table
        assert task.label in titles
    assert "| win rate | 4 |" in table
    assert "-" not in table.splitlines()[2]


def test_missing_runs_leave_gaps() -> None:
    some = [result_of(one, names=METRICS) for one in JOBS[:1]]
    assert TASKS[0].label in Strangers().table(some)
    assert TASKS[1].label not in Strangers().table(some)
    Strangers().draw(some)


def test_it_is_no_part_of_all() -> None:
    assert "strangers" not in ITEMS
    (item,) = items_named("strangers")
    assert item.name == "strangers"
    with pytest.raises(UserError, match="strangers"):
        items_named("stranger")
