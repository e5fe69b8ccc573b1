"""The figures of ``marl report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marl_core.evaluation.bootstrap import bootstrap_band
from marl_core.rendering.figure_files import figure_file
from marl_core.reports.experiments import (
    compared_metrics,
)
from marl_core.reports.one_experiment import draw_one
from marl_core.reports.reading import read_experiments
from marl_core.reports.several_experiments import draw_several
from marl_core.reports.tables import final_table, improvement_tables
from tests.support.reported_runs import AT, agents, cells, lines_of, set_in, title_of


def test_the_figure_of_one_experiment(made: Callable[..., Path]) -> None:
    (experiment,) = read_experiments(
        [made("a", 0, reward=0.2), made("b", 1, reward=0.6)]
    )
    lines = {
        label: (episodes, values)
        for label, episodes, values in lines_of(draw_one(experiment))
    }
    assert list(lines) == [
        "return (greedy, exact)",
        *(f"levels {kind}" for kind in "ABC"),
        "probability of 'apart' in training",
        "probability of 'together' in training",
    ]
    assert lines["levels C"][0] == list(AT)
    np.testing.assert_allclose(
        lines["levels C"][1], [0.4 * episodes / 208 for episodes in AT]
    )
    assert lines["probability of 'together' in training"] == (
        list(AT[1:]),
        [0.75] * len(AT[1:]),
    )


def test_the_figure_of_several_experiments(made: Callable[..., Path]) -> None:
    rewards = (0.1, 0.4, 0.9)
    paths = [made(f"a{i}", i, reward=reward) for i, reward in enumerate(rewards)]
    paths += [
        made("b", 0, agents(8)),
        made("c", 0, set_in("environment", "tag", value="1A2B1C")),
    ]
    experiments = read_experiments(paths)
    figure = draw_several(experiments, ["exact/return"])
    assert [axis.get_title() for axis in figure.axes] == ["fme 1A1B1C", "fme 1A2B1C"]
    assert [label for label, _, _ in lines_of(figure)] == [
        experiment.name for experiment in experiments
    ]
    np.testing.assert_allclose(
        lines_of(figure)[0][2], [1.4 * episodes / 208 for episodes in AT]
    )
    (band,) = figure.axes[0].collections  # a single run has none
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    _, high = bootstrap_band(np.array([[3 * reward] for reward in rewards]))
    assert heights.max() == pytest.approx(high[0])
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "agents=5, tag=1A1B1C",
        "agents=8, tag=1A1B1C",
    ]


def test_titles_do_not_promise_intervals_of_single_runs(
    made: Callable[..., Path],
) -> None:
    one, other = made("a", 0), made("b", 0, agents(8))
    several = made("c", 1, agents(8))
    metrics = ["exact/return"]
    title = title_of(draw_several(read_experiments([one, other]), metrics))
    assert title == "single runs"
    assert title_of(draw_several(read_experiments([one]), metrics)) == "a single run"
    title = title_of(draw_several(read_experiments([other, several]), metrics))
    assert title == "mean over seeds and its 95 % bootstrap interval"
    title = title_of(draw_several(read_experiments([one, other, several]), metrics))
    assert title.endswith("interval; none for single runs")
    title = title_of(draw_one(read_experiments([one])[0]))
    assert title == "ppo_ma on fme, seed 0"
    title = title_of(draw_one(read_experiments([other, several])[0]))
    assert title == "ppo_ma on fme, seeds 0, 1: mean, lowest and highest run"


def test_the_win_rate_is_shown_where_games_can_be_won(
    made: Callable[..., Path],
) -> None:
    runs = [
        made(name, seed, set_in("host", "epochs", value=epochs), wins=True)
        for name, seed, epochs in (("a", 0, 1), ("b", 1, 1), ("c", 0, 2))
    ]
    first, _ = read_experiments(runs)
    shown = ["win rate (greedy)", "win rate (sampled)"]
    assert [row[0] for row in cells(final_table(first))][2:4] == shown
    labels = [label for label, _, _ in lines_of(draw_one(first))]
    assert labels[1:3] == shown
    experiments = read_experiments(runs)
    metrics = compared_metrics(experiments, None)
    assert metrics == ["exact/return", "greedy/win_rate"]
    figure = draw_several(experiments, metrics)
    heads = [axis.get_ylabel() for axis in figure.axes]
    assert heads == ["return (greedy, exact)", "win rate (greedy)"]
    titles = [str(table.title) for table in improvement_tables(experiments)]
    assert [title.rpartition(", ")[2] for title in titles] == metrics
    without = made("d", 2)
    assert compared_metrics(read_experiments([*runs, without]), None) == metrics[:1]


def test_lines_differ_in_more_than_colour(made: Callable[..., Path]) -> None:
    paths = [made(str(count), 0, agents(count)) for count in range(2, 12)]
    figure = draw_several(read_experiments(paths), ["exact/return"])
    lines = [
        line
        for line in figure.axes[0].get_lines()
        if not str(line.get_label()).startswith("_")
    ]
    looks = {(str(line.get_marker()), str(line.get_linestyle())) for line in lines}
    assert len(looks) == len(lines) == 10


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_figures_are_the_same_each_time(made: Callable[..., Path], kind: str) -> None:
    experiments = read_experiments([made("a"), made("b", 0, agents(8))])
    files = [
        figure_file(draw_several(experiments, ["exact/return"]), Path(f"x.{kind}"))
        for _ in range(2)
    ]
    assert files[0] == files[1]
    assert files[0].startswith(
        {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    )
