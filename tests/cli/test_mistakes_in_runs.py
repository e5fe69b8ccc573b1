"""A run folder that is taken, lost or spoilt: one line that says what is wrong with it, and nothing
is touched.
"""

from __future__ import annotations

import os
import pickle
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from marl_core.config.yaml_file import load_run
from marl_core.runs.folder import RunFolder
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from tests.support.command import RUN, Command, refused

# On standard error a warning would be a second line.
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; to be copied."""
    path = tmp_path_factory.mktemp("finished")
    (path / "run.yaml").write_text(RUN)
    folder = RunFolder(path / "run")
    folder.create(load_run(path / "run.yaml"))
    train(folder.load_config(), folder, Watchers(progress_bar=False))
    return folder.path


@pytest.fixture
def run(finished: Path, marl: Command) -> Path:
    """A finished run beside which ``marl`` is called."""
    shutil.copytree(finished, marl.folder / "run")
    return Path("run")


def test_a_folder_that_holds_a_run(marl: Command, run: Path) -> None:
    line = refused(marl, "train", "--config", str(marl.write()), "--run-dir", "run")
    assert line == (
        "run: there is a run here already; `marl resume run` continues it; "
        "to start anew, choose another folder (--run-dir, or out= in Python)"
    )


def test_a_folder_that_holds_another_run(marl: Command, run: Path) -> None:
    """To resume it would not be what the user asked for."""
    config = marl.write(RUN.replace("agents: 3", "agents: 4"))
    line = refused(marl, "train", str(config), "--run-dir", "run")
    assert line == (
        "run: there is another run here already, with another environment.agents; "
        "choose another folder (--run-dir, or out= in Python)"
    )


def test_a_folder_that_holds_a_checkpoint_of_who_knows_what(
    marl: Command, run: Path
) -> None:
    (marl.folder / run / "config.yaml").unlink()
    line = refused(marl, "train", "--config", str(marl.write()), "--run-dir", "run")
    assert line == "run: there is a checkpoint here, but no config.yaml of its run"


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_run_folder_that_cannot_be(marl: Command, path: str) -> None:
    marl.write("precious", "file")
    line = refused(marl, "train", "--config", str(marl.write()), "--run-dir", path)
    assert line.startswith(f"{path}: cannot create the run folder: ")


@pytest.mark.parametrize("command", ["resume", "evaluate", "report"])
def test_a_folder_without_a_run(marl: Command, command: str) -> None:
    marl.write("precious", "folder/file")
    assert (
        refused(marl, command, "folder")
        == "folder: no run here: there is no config.yaml"
    )
    assert (
        refused(marl, command, "nowhere")
        == "nowhere: no run here: there is no config.yaml"
    )


class Attack:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch attacked",)


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Attack()))


def _torch_file_of_other_things(path: Path) -> None:
    torch.save({"model": torch.zeros(3)}, path)


def _lightning_without_progress(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    torch.save({**saved, "marl": {**saved["marl"], "progress": {"laps": 3}}}, path)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


BROKEN_CHECKPOINTS = {
    "garbage": lambda path: path.write_bytes(os.urandom(100)),
    "nothing": lambda path: path.write_bytes(b""),
    "a pickle with code": _pickle,
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "another dictionary": _torch_file_of_other_things,
    "other progress": _lightning_without_progress,
    "cut off": _cut_off,
}


@pytest.mark.parametrize("command", ["resume", "evaluate"])
@pytest.mark.parametrize("content", BROKEN_CHECKPOINTS)
def test_checkpoints_that_are_none(
    marl: Command, run: Path, content: str, command: str
) -> None:
    folder = marl.folder / run / "checkpoints"
    BROKEN_CHECKPOINTS[content](folder / "last.ckpt")
    (folder / "previous.ckpt").unlink()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        line = refused(marl, command, "run")
    assert warned == []  # each would be a line of its own
    assert line.startswith(
        "run/checkpoints/last.ckpt: this is no checkpoint of a run ("
    )
    assert "attacked" not in marl.files()


@pytest.mark.parametrize("command", ["resume", "evaluate"])
@pytest.mark.parametrize("written", [None, 0, 99])
def test_a_checkpoint_of_another_version(
    marl: Command, run: Path, written: int | None, command: str
) -> None:
    path = marl.folder / run / "checkpoints" / "last.ckpt"
    saved = torch.load(path, weights_only=True)
    del saved["marl"]["format"]
    if written is not None:
        saved["marl"]["format"] = written
    torch.save(saved, path)
    line = refused(marl, command, "run")
    version = "a newer" if written == 99 else "an older"
    assert f"this checkpoint was written by {version} version of this project" in line
    assert "versions.json" in line


def test_a_checkpoint_of_another_run(marl: Command, run: Path) -> None:
    config = marl.folder / run / "config.yaml"
    config.write_text(config.read_text().replace("hidden: 4", "hidden: 5"))
    assert refused(marl, "evaluate", "run") == (
        "run/checkpoints/last.ckpt: the checkpoint does not fit the run's config: the parameter "
        "'host.encoder.layers.0.weight' is 4x4, and should be 4x5"
    )
    assert refused(marl, "resume", "run") == (
        "run/config.yaml: host.hidden is not what it was when the checkpoint was "
        "written; a run goes on as it began"
    )


def test_a_run_config_broken_by_hand(marl: Command, run: Path) -> None:
    config = marl.folder / run / "config.yaml"
    config.write_text(config.read_text().replace("eta_max: 0.5", "eta_max: 1.5"))
    line = config.read_text()[: config.read_text().index("eta_max")].count("\n") + 1
    mistake = "stages.1.exploration.eta_max: must be less than 1, found 1.5"
    expected = f"run/config.yaml:{line}: {mistake}"
    assert refused(marl, "resume", "run") == expected


def test_evaluating_before_there_is_a_policy(marl: Command, run: Path) -> None:
    shutil.rmtree(marl.folder / run / "checkpoints")
    line = refused(marl, "evaluate", "run")
    assert (
        line
        == "run/checkpoints/last.ckpt: no checkpoint yet; `marl resume run` trains the run"
    )


def test_reporting_without_metrics(marl: Command, run: Path) -> None:
    metrics = marl.folder / run / "metrics.csv"
    metrics.unlink()
    assert (
        refused(marl, "report", "run")
        == "run: the run has no metrics yet: there is no metrics.csv"
    )
    metrics.write_text("")
    assert refused(marl, "report", "run") == "run: the run has no evaluation yet"
    metrics.write_text("update,episodes\n1,many\n")
    line = refused(marl, "report", "run")
    assert (
        line
        == "run/metrics.csv: this is no file of metrics: could not convert string to float: 'many'"
    )
    metrics.write_bytes(b"\xff\xfe\x00")
    assert refused(marl, "report", "run").startswith(
        "run/metrics.csv:1: this is no file of metrics: "
    )


def test_reporting_a_run_twice(marl: Command, run: Path) -> None:
    shutil.copytree(marl.folder / run, marl.folder / "copy")
    line = refused(marl, "report", "run", "copy")
    assert (
        line
        == "copy: the same experiment with the same seed (0) as run; give each run once"
    )


def test_reporting_by_a_metric_that_is_not_there(marl: Command, run: Path) -> None:
    line = refused(marl, "report", "run", "--metric", "exact/retrun")
    assert (
        line
        == "run: no metric 'exact/retrun' was evaluated, did you mean 'exact/return'?"
    )
    line = refused(marl, "report", "run", "--metric", "loss")
    assert line.startswith(
        "run: no metric 'loss' was evaluated; there are coupling/in resonance, "
    )


def test_figures_that_cannot_be_written(marl: Command, run: Path) -> None:
    marl.write("precious", "curve.txt")
    line = refused(marl, "report", "run", "--out", "curve.txt")
    assert line.startswith(
        "curve.txt: cannot write the figure: Format 'txt' is not supported"
    )
    line = refused(marl, "report", "run", "--out", "nowhere/curve.png")
    assert (
        line == "nowhere/curve.png: cannot write the figure: there is no folder nowhere"
    )
    assert refused(marl, "report", "run", "--out", "curve").endswith(
        "the name needs an ending, as .png"
    )
    assert refused(marl, "report", "run", "--out", "run").endswith(
        "run: cannot write the figure: it is a folder"
    )


@pytest.mark.parametrize("option", ["--tidy", "--marl-eval"])
def test_results_that_cannot_be_written(marl: Command, run: Path, option: str) -> None:
    line = refused(marl, "report", "run", option, "nowhere/results")
    assert (
        line == "nowhere/results: cannot write the results: there is no folder nowhere"
    )
    assert (
        refused(marl, "report", "run", option, "run")
        == "run: cannot write the results: it is a folder"
    )
