"""What each item makes of the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, PPO_MA_PR, PPO_MA_PR_FAST, QMIX
from marl_pr.paper.fig1 import Fig1
from marl_pr.paper.fig3 import Fig3
from marl_pr.paper.fig4 import COMPARED, Fig4
from marl_pr.paper.fig5 import Fig5
from marl_pr.paper.fig6 import Fig6
from marl_pr.paper.fig7a import Fig7a
from marl_pr.paper.fig7b import Fig7b
from marl_pr.paper.fig8 import Fig8
from marl_pr.paper.fig9 import Fig9
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import interval_cell
from marl_pr.paper.pmin import PMin
from marl_pr.paper.registry import ITEMS
from marl_pr.paper.scale import PAPER, QUICK, Seeds
from marl_pr.paper.scores import mean_of, middle_of
from marl_pr.paper.table1 import Table1
from marl_pr.paper.value_resonance import ValueResonance
from tests.support.paper_results import (
    TWO_SEEDS,
    made_up_results,
    result_of,
    rows_of,
    svg_of,
)

#: Other items measure what only a run folder gives.
MADE_UP = [
    item
    for item in ITEMS.values()
    if type(item).read is Item.read or isinstance(item, Fig1 | Fig4 | Fig6 | Fig7b)
]
every_item_with_made_up_results = pytest.mark.parametrize(
    "item", MADE_UP, ids=lambda item: item.name
)


def _slow_theory(item: Item) -> Any:
    """Where types are checked, the theory's predictions take long."""
    marks = [pytest.mark.slow] if item.name == "theory" else []
    return pytest.param(item, id=item.name, marks=marks)


@pytest.mark.parametrize("item", [_slow_theory(item) for item in MADE_UP])
def test_runs_may_be_missing(item: Item) -> None:
    """From any results: a table with equally many cells in each row, and a figure."""
    results = made_up_results(item)
    whole = item.table(results)
    assert "nan" not in whole
    assert "| - |" not in whole
    for left in (results[:1], results[-1:], results[::3]):
        expect_sound(item, left)


@pytest.mark.parametrize(
    "item",
    [item for item in ITEMS.values() if item.name != "theory"],
    ids=lambda item: item.name,
)
def test_all_runs_may_be_missing(item: Item) -> None:
    """The theory is left out: its predictions for all teams take long where types are checked."""
    expect_sound(item, [])


def expect_sound(item: Item, results: Sequence[RunResult]) -> None:
    table = item.table(results)
    for part in table.split("\n\n"):
        lines = [line for line in part.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
    assert "nan" not in table
    assert "inf" not in table
    assert item.draw(results).axes


@every_item_with_made_up_results
def test_table_and_figure_are_functions_of_the_results(item: Item) -> None:
    """The order of results makes no difference; what any run measured in the end does.

    So no number is made up.
    """
    results = made_up_results(item)
    table, figure = item.table(results), svg_of(item.draw(results))
    assert (item.table(results[::-1]), svg_of(item.draw(results[::-1]))) == (
        table,
        figure,
    )
    changed = [_with_final(run, 5.0) if run is results[-1] else run for run in results]
    assert item.table(changed) != table
    assert svg_of(item.draw(changed)) != figure


def _with_final(result: RunResult, value: float) -> RunResult:
    metrics = {name: (*values[:-1], value) for name, values in result.metrics.items()}
    return RunResult(
        result.environment, result.labels, result.seed, result.episodes, metrics
    )


def test_table1_puts_the_papers_numbers_beside_ours() -> None:
    jobs = [
        one
        for one in Table1().jobs(PAPER, TWO_SEEDS)
        if one.labels["agents"] in (6, 15)
    ]
    values = {(PPO_MA, 6): 0.5, (PPO_MA, 15): 0.25, (QMIX, 6): 1.0, (QMIX, 15): 0.75}
    results = [
        result_of(one, values[str(one.labels["algorithm"]), int(one.labels["agents"])])
        for one in jobs
    ]
    lines = Table1().table(results).splitlines()[2:]
    # The reward was 0, half of the final one, and the final one: half of it on average.
    assert lines == [
        "| PPO-MA | 6 | 2 | 0.87 | 0.50 [0.50, 0.50] | 0.50 | 0.25 [0.25, 0.25] | 0.25 |",
        "| PPO-MA | 15 | 2 | 0.00 | 0.25 [0.25, 0.25] | 0.25 | 0.12 [0.12, 0.12] | 0.12 |",
        "| QMIX | 6 | 2 | 1.00 | 1.00 [0.16, 1.00] | 1.00 | 0.50 [0.50, 0.50] | 0.50 |",
        "| QMIX | 15 | 2 | 0.85 | 0.75 [0.75, 0.75] | 0.75 | 0.38 [0.38, 0.38] | 0.38 |",
    ]


def test_fig5_tells_algorithms_and_teams_apart() -> None:
    value = {PPO_MA: 1.0, QMIX: 2.0, PPO_MA_PR: 3.0, PPO_MA_PR_FAST: 4.0}
    jobs = Fig5().jobs(QUICK, TWO_SEEDS)
    results = [
        result_of(
            one, value[str(one.labels["algorithm"])] + int(one.labels["agents"]) / 100
        )
        for one in jobs
    ]
    for agents, row in rows_of(Fig5().table(results)).items():
        assert [float(cell.split()[0]) for cell in row] == pytest.approx(
            [v + int(agents) / 100 for v in value.values()]
        )
    axis = Fig5().draw(results).axes[0]
    drawn = {str(c.get_label()): c.lines[0].get_xydata() for c in axis.containers}  # type: ignore[attr-defined]
    for algorithm, points in drawn.items():
        assert points[:, 1] == pytest.approx(value[algorithm] + points[:, 0] / 100)
        assert len(points) == 3


def test_fig7a_and_fig8_put_each_mean_into_its_cell() -> None:
    def value(one: LabelledJob) -> float:
        place = (
            float(one.labels["eta_max"])
            if "eta_max" in one.labels
            else int(str(one.labels["task"])[2])
        )
        return place + (0.25 if one.labels["algorithm"] in (PPO_MA_PR, PPO_MA) else 0.5)

    for item, label in ((Fig7a(), "eta_max"), (Fig8(), "task")):
        jobs = [one for one in item.jobs(QUICK, TWO_SEEDS) if label in one.labels]
        rows = rows_of(item.table([result_of(one, value(one)) for one in jobs]))
        assert len(rows) == 3
        for text, row in rows.items():
            places = {
                value(one)
                for one in jobs
                if f"{one.labels[label]}" in (text, f"{text}.0")
            }
            assert [float(cell.split()[0]) for cell in row] == pytest.approx(
                sorted(places)
            )


def test_fig3_and_fig9_have_a_row_for_each_variant() -> None:
    def value(one: LabelledJob) -> float:
        return {PPO_MA: 1.0, PPO_MA_PR: 2.0, PPO_MA_PR_FAST: 3.0}[
            str(one.labels["algorithm"])
        ]

    rows = rows_of(
        Fig3().table(
            [result_of(one, value(one)) for one in Fig3().jobs(QUICK, TWO_SEEDS)]
        )
    )
    assert {name: float(row[1].split()[0]) for name, row in rows.items()} == {
        PPO_MA: 1.0, PPO_MA_PR: 2.0, PPO_MA_PR_FAST: 3.0,
    }  # fmt: skip
    better_by_step = [
        result_of(one, 2.0 if one.labels.get("coin") == "step" else 1.0)
        for one in _fig9_jobs()
    ]
    assert "episode-level one: 1.00" in Fig9().table(better_by_step)


def _fig9_jobs() -> list[LabelledJob]:
    return Fig9().jobs(QUICK, TWO_SEEDS)


def test_battles_have_a_cell_for_each_algorithm_number_of_enemies_and_eta() -> None:
    def value(one: LabelledJob) -> float:
        share, eta = float(one.labels["enemies"]), float(one.labels.get("eta_max", 0))
        place = COMPARED.index(str(one.labels["algorithm"]))
        return place + share / 1000 + eta / 100

    expected = {
        120: [0.12, 1.12, 6.13, 7.13],
        130: [0.13, 1.13, 6.14, 7.14],
        140: [0.14, 1.14, 6.15, 7.15],
        150: [0.15, 1.15, 6.16, 7.16],
    }
    jobs = Fig6().jobs(PAPER, TWO_SEEDS)
    assert {one.job.config.environment.model_dump()["attackers"] for one in jobs} == {
        60,
        65,
        70,
        75,
    }
    table = Fig6().table([result_of(one, value(one)) for one in jobs])
    assert table.startswith("Guards and attackers: 50v60, 50v65, 50v70, 50v75.")
    for part in (table.split("Sampled")[0], table.split("Sampled")[1]):
        for share, row in rows_of(part).items():
            assert [float(cell.split()[0]) for cell in row] == pytest.approx(
                expected[int(share.split()[0])], abs=0.006
            )

    rows = rows_of(
        Fig4().table(
            [result_of(one, value(one)) for one in Fig4().jobs(PAPER, TWO_SEEDS)]
        )
    )
    assert {
        name: float(row[1].split()[0]) for name, row in rows.items()
    } == pytest.approx(
        dict(
            zip(COMPARED, [0.12, 1.12, 2.12, 3.13, 7.12, 5.13, 6.13, 7.13], strict=True)
        ),
        abs=0.006,
    )
    rows = rows_of(
        Fig7b().table(
            [result_of(one, value(one)) for one in Fig7b().jobs(PAPER, TWO_SEEDS)]
        )
    )
    assert {float(eta) for eta in rows} == set(Fig7b.etas)
    for eta, row in rows.items():
        assert float(row[0].split()[0]) == pytest.approx(
            7.12 + float(eta) / 100, abs=0.006
        )


def test_pmin_puts_each_pair_into_its_cell() -> None:
    jobs = PMin().jobs(PAPER, Seeds(1, 1, 1))

    def place(one: LabelledJob) -> float:
        return float(one.labels.get("p_min", 0)) + 4 * float(
            one.labels.get("eta_max", 0)
        )

    axes = PMin().draw([result_of(one, place(one)) for one in jobs]).axes
    assert [axis.get_title() for axis in axes[:2]] == [PPO_MA_PR, PPO_MA_PR_FAST]
    expected = np.add.outer(np.array(PMin.least), 4 * np.array(PMin.etas))
    for axis in axes[:2]:
        assert np.asarray(axis.images[0].get_array()) == pytest.approx(expected)


def test_fig8_is_about_the_team_that_it_was_given() -> None:
    item = Fig8(agents=4)
    jobs = item.jobs(PAPER, Seeds(1, 1, 1))
    assert {one.labels["agents"] for one in jobs} == {4}
    assert "N = 4" in item.title
    assert list(rows_of(item.table([result_of(one) for one in jobs]))) == [
        "1A6B0C", "1A5B1C", "1A4B2C", "1A3B3C", "1A2B4C", "1A1B5C", "1A0B6C",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("with_resonance", "chance"), [(5.0, "1.00"), (1.0, "0.00"), (3.0, "0.50")]
)
def test_value_resonance_compares_with_runs_as_long(
    with_resonance: float, chance: str
) -> None:
    values = {
        "QMIX": 9.0,
        "QMIX, as long": 3.0,
        "QMIX, less epsilon": 8.0,
        "QMIX + PR": with_resonance,
    }
    jobs = ValueResonance().jobs(QUICK, Seeds(3, 3, 3))
    lengths = {str(one.labels["algorithm"]): one.job.config.episodes for one in jobs}
    assert lengths["QMIX + PR"] == lengths["QMIX, as long"] > lengths["QMIX"]
    assert lengths["QMIX, less epsilon"] == lengths["QMIX + PR"]
    low = [one for one in jobs if one.labels["algorithm"] == "QMIX, less epsilon"]
    for one in low:
        explored = one.job.config.stage_exploration(1).model_dump()
        assert (explored["start"], explored["end"]) == (0.05, 0.05)
    table = ValueResonance().table(
        [result_of(one, values[str(one.labels["algorithm"])]) for one in jobs]
    )
    for row in rows_of(table).values():
        assert row[-1].split()[0] == chance


@given(st.lists(st.floats(-7, 7), min_size=1, max_size=9))
def test_means_over_runs(values: list[float]) -> None:
    one = ppo_ma(QUICK, LARGE_TEAM, 0)
    runs = [result_of(one, value) for value in values]
    interval, middle = (
        mean_of(runs, lambda run: run.final("exact/return")),
        middle_of(runs, lambda run: 2.0),
    )
    assert interval is not None
    assert interval.mean == pytest.approx(np.mean(values))
    assert middle == 2.0
    assert ("[" in interval_cell(interval)) == (len(values) > 1)
    assert mean_of([], lambda run: 0.0) is None
    assert middle_of([], lambda run: 0.0) is None
