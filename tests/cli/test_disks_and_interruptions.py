"""Full disks, damaged files and Ctrl-C, as a user of the command sees them: one line."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from marl_core.api.training import train
from marl_core.cli.at_once import ending_at_once
from marl_core.runs.folder import RunFolder
from marl_core.training import stages
from tests.support.command import RUN, Command, refused
from tests.support.runs import differences, outcome
from tests.support.small_disk import enlarge, small_disk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that ended undisturbed."""
    path = tmp_path_factory.mktemp("whole")
    (path / "run.yaml").write_text(RUN)
    return RunFolder(train(path / "run.yaml", out=path / "run", progress=False).path)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_one_line(marl: Command, whole: RunFolder) -> None:
    shutil.copytree(whole.path, marl.folder / "run")
    flip_a_bit(marl.folder / "run" / "checkpoints" / "last.ckpt")
    resumed = marl("resume", "run")
    assert resumed.status == 0, resumed.err
    notes = [line for line in resumed.err.splitlines() if "episodes" not in line]
    assert notes[0] == (
        "marl: run/checkpoints/last.ckpt: this is no checkpoint of a run (it is damaged: its "
        "checksum is another one); previous.ckpt, the checkpoint before it, is used"
    )
    run = RunFolder(marl.folder / "run")
    assert differences(outcome(run), outcome(whole)) == []


def fill_the_disk(marl: Command, whole: RunFolder, kibibytes: int) -> None:
    """Train on a disk of that size, and go on when there is room."""
    config = str(marl.write())
    disk = marl.folder / "disk"
    with small_disk(disk, kibibytes):
        full = marl("train", config, "--run-dir", "disk/runs/run")
        lines = [line for line in full.err.splitlines() if "episodes" not in line]
        assert full.status == 2, full
        assert len(lines) == 1, full.err
        assert lines[0].startswith("disk/runs/run")
        assert lines[0].lower().endswith("no space left on device")
        begun = (disk / "runs" / "run" / "config.yaml").exists()
        assert begun or list(disk.iterdir()) == []
        assert list(disk.rglob("*.part")) == []
        enlarge(disk)
        again = ("resume", "disk/runs/run")
        fresh = ("train", config, "--run-dir", "disk/runs/run")
        assert marl(*(again if begun else fresh)).status == 0
        run = outcome(RunFolder(disk / "runs" / "run"))
    assert differences(run, outcome(whole)) == []


def test_a_disk_that_is_really_full(marl: Command, whole: RunFolder) -> None:
    fill_the_disk(marl, whole, 48)


@pytest.mark.slow
@pytest.mark.parametrize("kibibytes", range(4, 68, 4))
def test_disks_of_many_sizes(marl: Command, whole: RunFolder, kibibytes: int) -> None:
    fill_the_disk(marl, whole, kibibytes)


def test_a_failing_disk_without_a_name(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stages, "train", fail)
    ended = marl("train", str(marl.write()), "--run-dir", "out")
    assert ended.status == 2
    assert ended.err == "out: no space left on device\n"
    monkeypatch.setattr(stages, "check", fail)
    ended = marl("train", str(marl.write()), "--run-dir", "out2")
    assert ended.status == 2
    assert ended.err == "a file could not be written or read: no space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "run.yaml", "--run-dir", ""),
        ("train", "run.yaml", "--run-dir="),
        ("train", ""),
        ("resume", ""),
        ("evaluate", ""),
        ("report", "", "--out", "curve.png"),
    ],
)
def test_an_empty_argument_is_no_name(marl: Command, arguments: list[str]) -> None:
    marl.write()
    assert "an argument is empty" in refused(marl, *arguments)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_run_folder_of_pipes(marl: Command) -> None:
    """To open one would be to wait for ever."""
    (marl.folder / "run").mkdir()
    os.mkfifo(marl.folder / "run" / "config.yaml")
    assert marl("resume", "run").err == "run: no run here: there is no config.yaml\n"
    config = str(marl.write(RUN))
    ended = marl("train", config, "--run-dir", "run/config.yaml")
    assert ended.status == 2
    assert "cannot create the run folder" in ended.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_control_c_in_the_first_second_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with ending_at_once():
                os.kill(os.getpid(), signal.SIGINT)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert (tmp_path / "said").read_text() == "marl: interrupted; nothing was begun\n"
