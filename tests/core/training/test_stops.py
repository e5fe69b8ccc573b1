"""Schedulers that ask a run to end, and SLURM's variables, in one process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback
from lightning.pytorch.utilities import rank_zero_only

from marl_core.errors import AskedToEnd
from marl_core.runs.folder import RunFolder
from marl_core.training.learner import Learner
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from tests.support.runs import differences, go_on, outcome, run_data, start

#: What SLURM tells the third of four independent tasks.
TASK = {
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "2",
    "SLURM_NODEID": "0",
}


class Asks(Callback):
    """Sends this process a signal in the middle of an update."""

    def __init__(self, number: int, update: int) -> None:
        self.number, self.update = number, update

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *rest: Any) -> None:
        assert isinstance(pl_module, Learner)
        if pl_module.progress.updates + 1 == self.update:
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = start(tmp_path_factory.mktemp("whole") / "run", run_data())
    go_on(folder)
    return folder


def asked(folder: RunFolder, number: int, update: int) -> BaseException:
    watchers = Watchers(callbacks=[Asks(number, update)], progress_bar=False)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as error:
        train(folder.load_config(), folder, watchers)
    return error.value


def updates_saved(folder: RunFolder) -> int:
    saved = folder.load_checkpoint()
    assert saved is not None
    return int(saved["marl"]["progress"]["updates"])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_run_after_its_update_with_a_checkpoint(
    tmp_path: Path, undisturbed: RunFolder, name: str
) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    folder = start(tmp_path / "run", run_data())
    error = asked(folder, number, 5)
    if name == "SIGINT":
        assert isinstance(error, KeyboardInterrupt)
    else:
        assert isinstance(error, AskedToEnd)
        assert error.code == 128 + number
    assert signal.getsignal(number) is before
    assert updates_saved(folder) == 5
    go_on(folder)
    assert differences(outcome(folder), outcome(undisturbed)) == []


def test_a_requeued_slurm_job_writes_nothing_elsewhere_and_goes_on(
    tmp_path: Path, undisturbed: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of Lightning's own in the working directory is nobody's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 2)  # as Lightning has guessed it
    (elsewhere / "hpc_ckpt_1.ckpt").write_bytes(b"another run's")
    folder = start(tmp_path / "run", run_data())
    asked(folder, signal.SIGUSR1, 9)
    go_on(folder)
    assert [path.name for path in elsewhere.iterdir()] == ["hpc_ckpt_1.ckpt"]
    assert differences(outcome(folder), outcome(undisturbed)) == []
    assert vars(rank_zero_only)["rank"] == 2
