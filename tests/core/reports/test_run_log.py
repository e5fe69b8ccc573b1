"""Reading what a run has logged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from marl_core.errors import UserError
from marl_core.reports.marl_eval_file import write_marl_eval
from marl_core.reports.run_log import read_run
from marl_core.reports.tidy_file import read_tidy, write_tidy
from marl_core.runs.folder import RunFolder
from tests.support.results import TASK, contents
from tests.support.runs import go_on, run_data, start


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
