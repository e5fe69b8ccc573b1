"""Results of runs, and the files that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.errors import UserError
from marl_core.reports.labels import Label, as_label
from marl_core.reports.marl_eval_file import write_marl_eval
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import read_run
from marl_core.reports.tidy_file import read_tidy, write_tidy
from marl_core.runs.folder import RunFolder
from tests.support.runs import go_on, run_data, start

TASK: dict[str, Label] = {"task": "1A4B2C", "algorithm": "PPO-MA"}

text = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    [
        "8",
        "8.0",
        "-0",
        "1e3",
        "nan",
        "inf",
        "08",
        " 8",
        'a"b',
        "a,b",
        "a\r",
        "a\nb",
        "\ufeff",
        "²",
        "1_0",
        "é",
        "null",
    ]
)
words = text.filter(bool)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.floats() | st.integers(-9, 9).map(float)


@st.composite
def parts(draw: Any) -> dict[str, Any]:
    """What a result is made of.

    Tests make the result: the run-time type checker draws random numbers, which would disturb
    strategies.
    """
    others = draw(
        st.dictionaries(
            st.sampled_from(["agents", "exploration", "Größe, in m"]), text | numbers
        )
    )
    labels = {
        "task": draw(words),
        "algorithm": draw(words),
        **{name: as_label(value) for name, value in others.items()},
    }
    episodes = sorted(draw(st.sets(st.integers(0, 10**7), min_size=1, max_size=3)))
    one_each = st.tuples(*[values] * len(episodes))
    names = st.sampled_from(["exact/return", "greedy/C1", "coupling/a", "x,y"])
    metrics = draw(st.dictionaries(names, one_each, min_size=1))
    seed = draw(st.integers(0, 99))
    return {
        "environment": draw(words),
        "labels": labels,
        "seed": seed,
        "episodes": tuple(episodes),
        "metrics": metrics,
    }


def identity(
    environment: str, labels: Mapping[str, Label], seed: int, **rest: Any
) -> str:
    return repr(
        (
            environment,
            sorted((name, repr(label)) for name, label in labels.items()),
            seed,
        )
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files are written over and over."""
    return tmp_path_factory.mktemp("scratch")


several = st.lists(parts(), max_size=5, unique_by=lambda one: identity(**one))


def contents(found: list[RunResult]) -> list[str]:
    """All that they hold, NaN equal to NaN, 8 not to 8.0, in an order of their own."""
    return sorted(
        repr((identity(**vars(one)), one.episodes, sorted(one.metrics.items())))
        for one in found
    )


def a_result(seed: int = 0, **labels: Label) -> RunResult:
    metrics = {
        "exact/return": (1.0, 2.5),
        "greedy/C1": (0.0, 0.5),
        "coupling/shared": (math.nan, 0.75),
    }
    return RunResult("fme", {**TASK, **labels}, seed, (0, 512), metrics)


@given(made_of=several)
def test_what_is_written_is_read_again(
    made_of: list[dict[str, Any]], scratch: Path
) -> None:
    path, found = scratch / "results.csv", [RunResult(**one) for one in made_of]
    write_tidy(found, path)
    again = read_tidy(path)
    assert contents(again) == contents(found)
    before = path.read_bytes()
    write_tidy(reversed(again), path)
    assert path.read_bytes() == before


def test_the_tidy_file(tmp_path: Path) -> None:
    write_tidy(
        [a_result(10, agents=8), a_result(9, agents=8), a_result(3, mode="fast")],
        tmp_path / "results.csv",
    )
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[:4] == [
        "environment,task,algorithm,agents,mode,seed,episodes,metric,value",
        "fme,1A4B2C,PPO-MA,,fast,3,0,coupling/shared,nan",
        "fme,1A4B2C,PPO-MA,,fast,3,0,exact/return,1.0",
        "fme,1A4B2C,PPO-MA,,fast,3,0,greedy/C1,0.0",
    ]
    assert [line.split(",")[5] for line in lines[1::6]] == ["3", "9", "10"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_final_and_average() -> None:
    result = a_result()
    assert (result.final("exact/return"), result.average("exact/return")) == (2.5, 1.75)
    assert math.isnan(result.average("coupling/shared"))
    endless = replace(result, metrics={"exact/return": (math.inf, -math.inf)})
    assert math.isnan(endless.average("exact/return"))


@given(
    value=text
    | numbers
    | st.booleans()
    | st.none()
    | st.lists(st.integers())
    | st.floats()
)
def test_anything_can_be_made_a_label(value: object) -> None:
    label = as_label(value)
    assert a_result(x=label).labels["x"] == label
    assert as_label(label) == label


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"task": "1A"}},
        {"labels": {"task": 1, "algorithm": "x"}},
        {"labels": {"task": "", "algorithm": "x"}},
        {"labels": {**TASK, "seed": 1}},
        {"labels": {**TASK, "agents": "8"}},
        {"labels": {**TASK, "agents": math.nan}},
        {"labels": {**TASK, "fast": True}},
        {"labels": {**TASK, "fast": ""}},
        {"episodes": (512, 0)},
        {"episodes": (0, 0)},
        {"episodes": (0,)},
        {"episodes": (), "metrics": {"exact/return": ()}},
        {"metrics": {}},
    ],
)
def test_what_is_no_result(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"label|episodes|evaluation|values"):
        replace(a_result(), **wrong)


def test_runs_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    twice = [a_result(3, agents=8), a_result(3, agents=8)]
    labels = "task=1A4B2C, algorithm=PPO-MA, agents=8"
    message = f"two runs on fme with seed 3 have the same labels: {labels}"
    for write in (write_tidy, write_marl_eval):
        with pytest.raises(UserError) as caught:
            write(twice, tmp_path / "results")
        assert str(caught.value) == message
    only_case = [a_result(3, algorithm="ppo"), a_result(3, algorithm="PPO")]
    write_tidy(only_case, tmp_path / "results.csv")
    with pytest.raises(
        UserError,
        match="two runs would be called fme / 1A4B2C / ppo / run_3 in marl-eval's format",
    ):
        write_marl_eval(only_case, tmp_path / "results.json")
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


HEADER = "environment,task,algorithm,seed,episodes,metric,value\n"
BROKEN = {
    "": None,
    HEADER.replace("environment,", "")
    + "1A,PPO,0,0,x,1\n": "there is no column 'environment'",
    HEADER + "fme,1A,PPO,0,0,x,high\n": "could not convert string to float: 'high'",
    HEADER + "fme,1A,PPO,0,0,x\n": "could not convert string to float: ''",
    HEADER + "fme,1A,PPO,0,0,x,1,2\n": "a line with more values than there are columns",
    HEADER
    + "fme,1A,PPO,zero,0,x,1\n": "invalid literal for int() with base 10: 'zero'",
    HEADER + "fme,,PPO,0,0,x,1\n": "the label 'task' is missing, or no word",
    HEADER
    + "fme,1A,PPO,0,0,x,1\n"
    + "fme,1A,PPO,0,0,x,2\n": "two values of x after 0 episodes in the same run",
}


@pytest.mark.parametrize("content", BROKEN)
def test_files_that_hold_no_results(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(content)
    if BROKEN[content] is None:
        assert read_tidy(path) == []
        return
    with pytest.raises(UserError) as caught:
        read_tidy(path)
    assert str(caught.value).startswith(
        f"{path}: this is no file of results: {BROKEN[content]}"
    )
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="nowhere: cannot read the results: No such file or directory"
    ):
        read_tidy(tmp_path / "nowhere")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(
        UserError, match="bytes: this is no file of results: 'utf-8' codec"
    ):
        read_tidy(tmp_path / "bytes")
    for write in (write_tidy, write_marl_eval):
        with pytest.raises(
            UserError,
            match="nowhere/results: cannot write the results: there is no folder ",
        ):
            write([a_result()], tmp_path / "nowhere" / "results")


def test_a_value_that_is_missing_is_nan(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(HEADER + "fme,1A,PPO,0,512,x,1\nfme,1A,PPO,0,0,y,2\n")
    (result,) = read_tidy(path)
    assert result.episodes == (0, 512)
    assert repr(result.metrics) == "{'x': (nan, 1.0), 'y': (2.0, nan)}"


def test_the_file_for_marl_eval(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    found = [
        a_result(seed, agents=agents, host="qmix")
        for seed in (0, 1)
        for agents in (8, 30)
    ]
    found.append(a_result(0, agents=8, host="ppo_ma"))
    write_marl_eval(found, path)
    tree = json.loads(path.read_text())
    assert list(tree) == ["fme"]
    assert list(tree["fme"]) == ["1A4B2C agents=8", "1A4B2C agents=30"]
    assert list(tree["fme"]["1A4B2C agents=8"]) == [
        "PPO-MA host=ppo_ma",
        "PPO-MA host=qmix",
    ]
    runs = tree["fme"]["1A4B2C agents=30"]["PPO-MA host=qmix"]
    assert list(runs) == ["run_0", "run_1"]
    assert list(runs["run_0"].items()) == [
        ("step_0", {"step_count": 0, "exact/return": [1.0], "greedy/C1": [0.0]}),
        ("step_1", {"step_count": 512, "exact/return": [2.5], "greedy/C1": [0.5]}),
        ("absolute_metrics", {"exact/return": [2.5], "greedy/C1": [0.5]}),
    ]
    write_marl_eval(
        [a_result(agents=8)], path
    )  # what is the same everywhere need not be said
    assert list(json.loads(path.read_text())["fme"]["1A4B2C"]) == ["PPO-MA"]


@given(made_of=several)
def test_nothing_is_lost_in_the_file_for_marl_eval(
    made_of: list[dict[str, Any]], scratch: Path
) -> None:
    path, found = scratch / "results.json", [RunResult(**one) for one in made_of]
    try:
        write_marl_eval(found, path)
    except UserError as error:
        assert "two runs would be called" in str(error)  # noqa: PT017
        return
    tree = json.loads(path.read_text())
    runs = [
        run
        for tasks in tree.values()
        for names in tasks.values()
        for algo in names.values()
        for run in algo.values()
    ]
    assert len(runs) == len(found)
    assert sorted(len(run) - 1 for run in runs) == sorted(
        len(result.episodes) for result in found
    )
    write_marl_eval(reversed(found), path)
    assert repr(json.loads(path.read_text())) == repr(tree)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = start(tmp_path_factory.mktemp("runs") / "run", run_data())
    go_on(folder)
    return folder


def test_reading_a_run(finished: RunFolder) -> None:
    result = read_run(finished, TASK)
    assert (result.environment, result.seed, result.labels) == ("fme", 3, TASK)
    assert result.episodes == (
        0,
        80,
        112,
        160,
        208,
    )  # every 5 updates of 16, and the last of each stage
    modes = ("exact", "greedy", "sampled")
    assert set(result.metrics) == {
        "coupling/in resonance",
        "coupling/not in resonance",
        *(f"{m}/{n}" for m in modes for n in ("return", "A1", "B1", "C1")),
    }
    summary = json.loads(finished.summary.read_text())
    assert result.final("exact/return") == pytest.approx(summary["return"]["exact"])
    assert result.final("sampled/return") == pytest.approx(
        summary["return"]["sampled"]["mean"]
    )
    # The first stage has no coupling.
    eta = result.metrics["coupling/in resonance"]
    assert [math.isnan(value) for value in eta] == [True, True, True, False, False]
    others = result.metrics["coupling/not in resonance"]
    np.testing.assert_allclose(np.add(eta, others)[3:], 1)
    total = sum(
        np.array(result.metrics[f"exact/{name}"]) for name in ("A1", "B1", "C1")
    )
    np.testing.assert_allclose(total, result.metrics["exact/return"], rtol=1e-5)


def test_equal_runs_have_equal_files(finished: RunFolder, tmp_path: Path) -> None:
    again = start(tmp_path / "again", run_data())
    go_on(again)
    for write in (write_tidy, write_marl_eval):
        for name, folder in (("one", finished), ("other", again)):
            write([read_run(folder, TASK)], tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_metrics_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    folder.metrics.write_text(
        "update,episodes,loss/a,coupling/x,exact/return\n0,0,3,,nan\n1,16,3,0.5,\n2,32,3,0.5,-inf\n"
    )
    result = read_run(folder, TASK)
    assert result.episodes == (0, 32)
    assert (
        repr(result.metrics)
        == "{'coupling/x': (nan, 0.5), 'exact/return': (nan, -inf)}"
    )
    write_tidy([result], tmp_path / "results.csv")
    assert contents(read_tidy(tmp_path / "results.csv")) == contents([result])
    write_marl_eval([result], tmp_path / "results.json")
    tree = json.loads((tmp_path / "results.json").read_text())
    assert tree["fme"]["1A4B2C"]["PPO-MA"]["run_3"]["absolute_metrics"] == {
        "exact/return": [-math.inf]
    }


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (None, "run: the run has no metrics yet: there is no metrics.csv"),
        ("", "run: the run has no evaluation yet"),
        ("update,episodes,loss\n4,64,0.5\n", "run: the run has no evaluation yet"),
        (
            "update,episodes\n1,many\n",
            "run/metrics.csv: this is no file of metrics: could not convert string to float",
        ),
        (
            "update,a/b\n1,2\n",
            "run/metrics.csv: this is no file of metrics: a line without its number of episodes",
        ),
        (
            "update,episodes\n1,nan\n",
            "run/metrics.csv: this is no file of metrics: a line without its number",
        ),
    ],
)
def test_runs_without_results(
    tmp_path: Path, metrics: str | None, message: str
) -> None:
    folder = start(tmp_path / "run", run_data())
    if metrics is not None:
        folder.metrics.write_text(metrics)
    with pytest.raises(UserError) as caught:
        read_run(folder, TASK)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")
    with pytest.raises(UserError, match="no run here"):
        read_run(RunFolder(tmp_path / "nowhere"), TASK)
