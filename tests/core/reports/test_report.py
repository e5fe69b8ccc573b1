"""``marl report``: how runs are grouped and named, what the tables and the figure say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.table import Table

from marl_core.errors import UserError
from marl_core.evaluation.statistics import (
    bootstrap_band,
    bootstrap_interval,
    improvement_interval,
)
from marl_core.rendering.figure_files import figure_file
from marl_core.reports.experiments import (
    Experiment,
    compared_metrics,
    same_environment,
)
from marl_core.reports.one_experiment import draw_one
from marl_core.reports.reading import read_experiments
from marl_core.reports.several_experiments import draw_several
from marl_core.reports.tables import final_table, improvement_tables
from marl_core.reports.tidy_file import read_tidy
from marl_core.runs.folder import RunFolder
from tests.support.command import Command
from tests.support.runs import go_on, run_data, start

Change = Callable[[dict[str, Any]], object]
#: Four evaluations, as a run would log them: the return is three times the level's reward.
AT = (0, 80, 112, 208)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run folder with made-up metrics: `made(name, seed=.., change=.., reward=..)`."""

    def make(
        name: str,
        seed: int = 0,
        change: Change | None = None,
        reward: float = 0.5,
        at: tuple[int, ...] = AT,
        wins: bool = False,
        **run: Any,
    ) -> Path:
        data = run_data(**{"second": "pr", **run})
        data["seed"] = seed
        if change is not None:
            change(data)
        folder = start(tmp_path / name, data)
        levels = ("A1", "B1", "C1")
        columns = [
            f"{mode}/{level}"
            for mode in ("exact", "greedy", "sampled")
            for level in ("return", *levels)
        ]
        if wins:
            columns += ["greedy/win_rate", "sampled/win_rate"]
        heads = ["update", "episodes", "coupling/apart", "coupling/together", *columns]
        lines = [",".join(heads)]
        for episodes in at:
            scores = [
                episodes / 208 * reward * (3 if "return" in column else 1)
                for column in columns
            ]
            lines.append(
                ",".join(
                    [
                        str(episodes // 16),
                        str(episodes),
                        *(("0.25", "0.75") if episodes else ("", "")),
                        *map(repr, scores),
                    ]
                )
            )
        folder.metrics.write_text("\n".join(lines) + "\n")
        return folder.path

    return make


def agents(count: int) -> Change:
    return lambda data: data["environment"].update(agents=count)


def names(paths: list[Path]) -> list[str]:
    return [experiment.name for experiment in read_experiments(paths)]


def cells(table: Table) -> list[list[str]]:
    return [
        list(row)
        for row in zip(
            *([str(cell) for cell in column.cells] for column in table.columns),
            strict=True,
        )
    ]


def lines_of(figure: Figure) -> list[tuple[str, list[float], list[float]]]:
    """Label, episodes and values of each curve."""
    lines = [
        line
        for axis in figure.axes
        for line in axis.get_lines()
        if not str(line.get_label()).startswith("_")
    ]
    return [
        (
            str(line.get_label()),
            np.asarray(line.get_xdata()).tolist(),
            np.asarray(line.get_ydata()).tolist(),
        )
        for line in lines
    ]


def test_runs_are_grouped_by_all_but_the_seed(made: Callable[..., Path]) -> None:
    faster: Change = lambda data: data["training"].update(evaluate_every=3, threads=2)  # noqa: E731
    paths = [made("b", 2), made("x", 1, agents(8)), made("a", 1, faster), made("c", 0)]
    experiments = read_experiments(paths)
    assert [[path.name for path in experiment.paths] for experiment in experiments] == [
        ["c", "a", "b"],
        ["x"],
    ]
    assert [result.seed for result in experiments[0].results] == [0, 1, 2]
    assert [experiment.name for experiment in experiments] == ["agents=5", "agents=8"]
    assert names(paths[:1]) == ["ppo_ma on fme"]
    shutil.copytree(paths[0], paths[0].with_name("copy"))
    with pytest.raises(
        UserError,
        match=r"copy: the same experiment with the same seed \(2\) as .*/b; give each run",
    ):
        read_experiments([*paths, paths[0].with_name("copy")])


def set_in(*keys: str | int, value: object) -> Change:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


def both(one: Change, other: Change) -> Change:
    return lambda data: (one(data), other(data))


def at_first_another_coefficient(data: dict[str, Any]) -> None:
    data["stages"][0]["exploration"] = {"name": "entropy_sampling", "coefficient": 0.3}


NAMED: dict[str, tuple[list[Mapping[str, Any]], list[str]]] = {
    "a setting": (
        [{"change": set_in("host", "epochs", value=epochs)} for epochs in (1, 2)],
        ["epochs=1", "epochs=2"],
    ),
    "two settings, of which one is enough": (
        [
            {
                "change": both(
                    agents(count), set_in("environment", "tag", value=f"1A{count}B1C")
                )
            }
            for count in (2, 3)
        ],
        ["agents=2", "agents=3"],
    ),
    "two settings that are both needed": (
        [
            {"change": both(agents(count), set_in("host", "epochs", value=epochs))}
            for count, epochs in ((5, 1), (8, 1), (8, 2))
        ],
        ["agents=5, epochs=1", "agents=8, epochs=1", "agents=8, epochs=2"],
    ),
    "who learns": (
        [
            {},
            {
                "host": "qmix",
                "change": set_in("environment", "level_index", value="one_hot"),
            },
        ],
        ["ppo_ma", "qmix"],
    ),
    "what is explored": (
        [{"second": "ppo_ma"}, {"second": "pr"}],
        ["entropy_sampling", "entropy_sampling + policy_resonance"],
    ),
    "a setting that only one kind has": (
        [{"second": "ppo_ma"}, {"second": "pr"}, {"second": "pr_fast"}],
        [
            "entropy_sampling",
            "entropy_sampling + policy_resonance, variant=pr",
            "entropy_sampling + policy_resonance, variant=pr_fast",
        ],
    ),
    "a setting said twice": (  # by both stages: the second couples the first's policy
        [
            {"change": set_in("exploration", "coefficient", value=value)}
            for value in (0.1, 0.2)
        ],
        ["coefficient=0.1", "coefficient=0.2"],
    ),
    "how long": (
        [
            {"change": set_in("stages", 1, "episodes", value=16 * updates)}
            for updates in (6, 8)
        ],
        ["stages=112 + 96", "stages=112 + 128"],
    ),
    "a name that is ambiguous": (
        [
            {"change": set_in("exploration", "coefficient", value=0.1)},
            {
                "change": both(
                    set_in("exploration", "coefficient", value=0.1),
                    at_first_another_coefficient,
                )
            },
            {"change": set_in("exploration", "coefficient", value=0.2)},
        ],
        [
            "stages.0.exploration.coefficient=0.1",
            "stages.0.exploration.coefficient=0.3",
            "stages.0.exploration.coefficient=0.2",
        ],
    ),
    "the batch": (
        [{}, {"episodes_per_update": 8}],
        ["episodes_per_update=16", "episodes_per_update=8"],
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_say_what_differs_and_no_more(
    made: Callable[..., Path], case: str
) -> None:
    runs, expected = NAMED[case]
    assert (
        names([made(str(index), **run) for index, run in enumerate(runs)]) == expected
    )


def test_labels_tell_every_experiment_apart(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    runs = [run for cases, _ in NAMED.values() for run in cases]
    settings: dict[str, Path] = {}
    for index, run in enumerate(runs):  # some cases share a config
        path = made(str(index), **run)
        settings[(path / "config.yaml").read_text()] = path
    experiments = read_experiments(list(settings.values()))
    assert len(experiments) == len(
        {str(dict(one.results[0].labels)) for one in experiments}
    )
    labels = experiments[0].results[0].labels
    assert (labels["task"], labels["agents"]) == ("1A1B1C", 5)
    assert labels["algorithm"] == "ppo_ma+entropy_sampling+policy_resonance"


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


def title_of(figure: Figure) -> str:
    return str(figure.get_suptitle())


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


@pytest.mark.filterwarnings("error")
def test_metrics_that_are_no_numbers_do_no_harm(
    made: Callable[..., Path], marl: Command
) -> None:
    paths = [
        made("a", 0),
        made("b", 1),
        made("c", 0, agents(8)),
        made("d", 1, agents(8)),
    ]
    for path, bad in zip(paths, ("-inf", "inf", "nan", "1e308"), strict=True):
        metrics = RunFolder(path).metrics
        metrics.write_text(metrics.read_text().replace("1.5", bad))
    reported = marl(
        "report", *map(str, paths), "--tidy", "all.csv", "--marl-eval", "all.json"
    )
    assert reported.status == 0, reported.err
    assert "nan" in reported.out
    assert marl("report", str(paths[0]), str(paths[1])).status == 0


def test_the_command(marl: Command) -> None:
    for seed in (0, 1):
        folder = start(
            marl.folder / "runs" / f"trained-seed{seed}",
            {**run_data("ppo_ma", (1, 1)), "seed": seed},
        )
        go_on(folder)
    data = {**run_data("pr", (1, 1)), "seed": 0}
    begun = start(marl.folder / "runs" / "begun", data)
    begun.metrics.write_text(
        "update,episodes,stage,coupling/x,exact/return,greedy/return,sampled/return\n"
        "0,0,0,0.5,0.5,0.5,0.5\n"
    )
    runs = ("runs/trained-seed0", "runs/trained-seed1", "runs/begun")
    files = ("curve.svg", "all.csv", "all.json")
    before = marl.files()
    outcome = marl(
        "report",
        *runs,
        "--out",
        "curve.svg",
        "--tidy",
        "all.csv",
        "--marl-eval",
        "all.json",
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-3:] == list(files)
    out = " ".join(outcome.out.split())
    for said in (
        "seeds 0, 1, after 32 episodes",
        "seed 0, after 0 of 32 episodes",
        "probability of improvement",
    ):
        assert said in out
    assert set(marl.files()) - set(before) == set(files)
    results = read_tidy(marl.folder / "all.csv")
    assert sorted((result.labels["algorithm"], result.seed) for result in results) == [
        ("ppo_ma+entropy_sampling+entropy_sampling", 0),
        ("ppo_ma+entropy_sampling+entropy_sampling", 1),
        ("ppo_ma+entropy_sampling+policy_resonance", 0),
    ]
    assert list(json.loads((marl.folder / "all.json").read_text())["fme"]) == ["1A1B1C"]
    first = marl.files()
    again = marl(
        "report",
        *runs,
        "--out",
        "curve.svg",
        "--tidy",
        "all.csv",
        "--marl-eval",
        "all.json",
    )
    assert again == outcome
    assert marl.files() == first
    assert marl(
        "report", "runs/trained-seed0", "--metric", "sampled/return"
    ).out.endswith("learning_curve.png\n")
    assert "coupling/" in (marl.folder / "all.csv").read_text()
    assert "coupling/" not in (marl.folder / "all.json").read_text()
