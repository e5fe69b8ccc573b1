"""One process at a time looks at a run folder and writes to it."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from marl_core.api.training import train
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.notes import RunWarning
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from tests.support.fault_tries import marl, prepare, tiny_config
from tests.support.runs import run_data

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")


def test_a_folder_is_held_before_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that begins in the same moment finds it held, whatever it then looks at."""
    path = tmp_path / "run"
    seen: list[str] = []
    refuse = RunFolder.refuse_another_run

    def raced(self: RunFolder, config: RunConfig) -> None:
        refuse(self, config)
        with pytest.raises(UserError) as error:
            train(run_data(), set={"seed": 2}, out=path, progress=False)
        seen.append(str(error.value))

    monkeypatch.setattr(RunFolder, "refuse_another_run", raced)
    run = train(run_data(updates=(1, 1)), out=path, progress=False)
    (message,) = seen
    assert "this run is being trained already, by process" in message
    assert run.config.seed == 3


@pytest.mark.slow
def test_two_runs_that_begin_at_once(tmp_path: Path) -> None:
    """Config, checkpoint and summary are those of one of them; the other says one line."""
    prepare()
    config = tiny_config(tmp_path / "run.yaml", "ppo_ma")
    for number in range(16):
        path = tmp_path / f"run{number}"
        ended: dict[int, Any] = {}

        def run(seed: int, path: Path = path, ended: dict[int, Any] = ended) -> None:
            chosen = ("--set", f"seed={seed}", "--run-dir", path)
            ended[seed] = marl(None, "train", config, *chosen)

        both = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        (winner,) = [seed for seed, how in ended.items() if how.status == 0]
        loser = ended[3 - winner]
        assert loser.status == 2
        assert loser.said.count("\n") == 1, loser.said
        folder = RunFolder(path)
        saved = folder.load_checkpoint()
        assert saved is not None
        assert folder.load_config().seed == saved["marl"]["config"]["seed"] == winner


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.warns(RunWarning, match="has no locks"), run_lock(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_lock_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", failing)
    path = tmp_path / "runs" / "run"
    with pytest.raises(OSError, match="Input/output") as error, run_lock(path):
        pass
    assert str(error.value.filename) == str(path / "lock")
    (path / "lock").unlink()


def test_what_killed_processes_began_to_write_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "checkpoints" / "last.ckpt.0123abcd.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    with run_lock(tmp_path):
        assert not left.exists()


def test_a_folder_that_stays_empty_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "runs" / "run"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
