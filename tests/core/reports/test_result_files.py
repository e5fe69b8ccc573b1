"""Files of results: tidy, and for marl-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from marl_core.errors import UserError
from marl_core.reports.marl_eval_file import write_marl_eval
from marl_core.reports.results import RunResult
from marl_core.reports.tidy_file import read_tidy, write_tidy
from tests.support.results import a_result, contents, several


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files are written over and over."""
    return tmp_path_factory.mktemp("scratch")


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
