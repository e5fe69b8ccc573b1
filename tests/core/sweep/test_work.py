"""What a worker does with a run folder, here without a worker."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest
import torch

from marl_core import train
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.registry import look_for_modules_in
from marl_core.runs import continuation
from marl_core.runs.folder import RunFolder
from marl_core.runs.lock import run_lock
from marl_core.runs.weights import read_weights
from marl_core.sweep import Job, run_sweep, work
from marl_core.sweep.work import Task, perform
from marl_core.training.learner import Learner
from tests.support.command import Command, Outcome, refused
from tests.support.resuming import crash_at
from tests.support.runs import differences, go_on, outcome
from tests.support.sweeps import config, mortal_config


@pytest.fixture(autouse=True)
def modules_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        yield
    for name in ("mortal", "mine"):
        sys.modules.pop(name, None)


def task(
    folder: Path,
    run: RunConfig,
    continues: Path | None = None,
    weights: Path | None = None,
) -> Task:
    return Task(
        path=str(folder),
        config=json.loads(run.model_dump_json()),
        continues=None if continues is None else str(continues),
        weights=None if weights is None else str(weights),
        modules=tuple(sys.path),
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``one``, trained as a job, and ``two``, trained as ``marl train`` would.

    ``two`` has the stage of ``one`` and another.
    """
    path = tmp_path_factory.mktemp("runs")
    assert perform(task(path / "one", config())) is None
    two = RunFolder(path / "two")
    two.create(config(stages=2))
    go_on(two)
    return path


def test_a_job_is_a_run(runs: Path, tmp_path: Path) -> None:
    alone = RunFolder(tmp_path / "alone")
    alone.create(config())
    go_on(alone)
    assert differences(outcome(RunFolder(runs / "one")), outcome(alone)) == []


def test_a_continued_run_is_the_run_from_the_start(runs: Path, tmp_path: Path) -> None:
    assert perform(task(tmp_path / "run", config(stages=2), runs / "one")) is None
    folder = RunFolder(tmp_path / "run")
    assert differences(outcome(folder), outcome(RunFolder(runs / "two"))) == []
    assert folder.load_config() == config(stages=2)
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(
        path.name for path in (runs / "two").iterdir()
    )


def test_a_job_begins_with_weights_of_a_file(runs: Path, tmp_path: Path) -> None:
    """As ``train`` does; a sweep takes a run for its own only where they are the same."""
    path = tmp_path / "weights.pt"
    torch.save(read_weights(runs / "two"), path)
    job = task(tmp_path / "job", config(), weights=path)
    assert perform(job) is None
    alone = train(config(), out=tmp_path / "alone", weights=path, progress=False)
    folder = RunFolder(tmp_path / "job")
    assert differences(outcome(folder), outcome(RunFolder(alone.path))) == []
    run_sweep([Job("job", config(), weights=path)], tmp_path, show_progress=False)
    with pytest.raises(
        UserError, match=r"has begun with the parameters of .*weights\.pt"
    ):
        run_sweep([Job("job", config())], tmp_path, show_progress=False)
    torch.save(read_weights(runs / "one"), path)
    with pytest.raises(UserError, match="has not begun with the parameters of"):
        run_sweep([Job("job", config(), weights=path)], tmp_path, show_progress=False)


@pytest.mark.parametrize("call", range(1, 5))
def test_half_a_copy_is_no_run(call: int, runs: Path, tmp_path: Path) -> None:
    """Four files are written where a run is continued, its config the last."""
    folder = RunFolder(tmp_path / "run")
    two = task(folder.path, config(stages=2), runs / "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "train", None)
        with crash_at(continuation, "write_whole", call, after=False):
            assert perform(two) is not None
    assert not folder.config_file.exists()
    assert perform(two) is None
    assert differences(outcome(folder), outcome(RunFolder(runs / "two"))) == []


def test_what_is_begun_goes_on_without_what_it_continues(
    runs: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(runs / "one", tmp_path / "one")
    two = task(folder.path, config(stages=2), tmp_path / "one")
    with crash_at(Learner, "training_step", 2):
        assert perform(two) == "CrashError"
    shutil.rmtree(tmp_path / "one")
    assert perform(two) is None
    assert differences(outcome(folder), outcome(RunFolder(runs / "two"))) == []


def test_a_lost_checkpoint_cannot_be_continued(tmp_path: Path) -> None:
    failure = perform(task(tmp_path / "run", config(stages=2), tmp_path / "nothing"))
    assert failure is not None
    assert "its checkpoint is gone" in failure
    assert perform(task(tmp_path / "run", config())) is None


def test_failures_are_one_line_and_a_traceback(tmp_path: Path) -> None:
    run, folder = mortal_config(tmp_path, "raise"), RunFolder(tmp_path / "run")
    assert perform(task(folder.path, run)) == "RuntimeError: mortal, and dead"
    report = folder.path / "error.txt"
    assert "Traceback" in report.read_text()
    assert "mortal.py" in report.read_text()
    (tmp_path / "healed").touch()
    assert perform(task(folder.path, run)) is None
    assert not report.exists()


def test_modules_beside_a_config_are_found_again(tmp_path: Path, marl: Command) -> None:
    """The folder remembers them.

    ``marl evaluate`` is another process, which knows nothing of the sweep.
    """
    known = [*sys.path]
    (tmp_path / "healed").touch()
    assert perform(task(tmp_path / "run", mortal_config(tmp_path, "raise"))) is None
    assert_can_be_evaluated(tmp_path / "run")
    versions = tmp_path / "run" / "versions.json"
    versions.write_text(
        json.dumps({"modules": str(tmp_path)})
    )  # older versions wrote the one folder that they knew
    assert evaluated_anew(marl, tmp_path / "run", known).status == 0
    versions.write_text(json.dumps({"modules": []}))
    assert evaluated_anew(marl, tmp_path / "run", known).status == 2


def evaluated_anew(marl: Command, run: Path, known: list[str]) -> Outcome:
    """As in a new process elsewhere: no modules beside configs are known, nor their folders."""
    sys.path[:] = known
    for name in ("mortal", "mine"):
        sys.modules.pop(name, None)
    with chdir("/"):
        return marl("evaluate", str(run), "--trust", "--episodes", "4", "--json")


def assert_can_be_evaluated(run: Path) -> None:
    code = "from marl_core.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "evaluate",
        "--trust",
        str(run),
        "--episodes",
        "4",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(done.stdout)


def test_modules_of_several_folders_are_found_again(
    tmp_path: Path, marl: Command
) -> None:
    known = [*sys.path]
    explorers = tmp_path / "explorers"
    explorers.mkdir()
    (explorers / "mine.py").write_text(
        "from marl_core.exploration.entropy_sampling import EntropySampling\n\n\n"
        "class Mine(EntropySampling):\n    Config = EntropySampling.Config\n"
    )
    look_for_modules_in(str(explorers))
    (tmp_path / "healed").touch()
    mortal = mortal_config(tmp_path, "raise").model_dump(mode="json")
    run = RunConfig.model_validate({**mortal, "exploration": {"name": "mine:Mine"}})
    assert perform(task(tmp_path / "run", run)) is None
    assert evaluated_anew(marl, tmp_path / "run", known).status == 0


def test_a_run_is_resumed_by_the_config_it_is_given(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with crash_at(Learner, "training_step", 2):
        assert (
            perform(task(folder.path, config(updates=4, checkpoint_every=1)))
            == "CrashError"
        )
    assert perform(task(folder.path, config(updates=4, checkpoint_every=2))) is None
    assert folder.load_config() == config(updates=4, checkpoint_every=2)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failure = perform(task(tmp_path / "file" / "run", config()))
    assert failure is not None
    assert "file" in failure
    assert "\n" not in failure


HOLD = """
import sys
from pathlib import Path

from marl_core.runs.lock import run_lock

with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds a run's lock."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.communicate()


def test_one_process_trains_a_run(
    runs: Path, marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = marl.folder / "one"
    shutil.copytree(runs / "one", folder)
    with held(folder) as holder:
        line = refused(marl, "resume", str(folder))
        assert line.startswith(
            f"{folder}: this run is being trained already, by process {holder.pid} on "
        )
        monkeypatch.setattr(work, "_PATIENCE", 0.2)
        assert perform(task(folder, config())) == line
        holder.kill()  # the system opens the lock
        holder.wait()
    assert marl("resume", str(folder)).status == 0
    assert not (folder / "lock").exists()


def test_locks_are_waited_for(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        with (
            pytest.raises(UserError, match="being trained already"),
            run_lock(tmp_path, 0.1),
        ):
            pytest.fail("two hold it")
        assert (tmp_path / "lock").exists()
    with run_lock(tmp_path, 0.1):
        pass
    assert list(tmp_path.iterdir()) == []


def count_up(folder: Path, times: int) -> None:
    """Count in a file, reading and writing, so that two at a time would lose counts."""
    number = folder / "number"
    for _ in range(times):
        with run_lock(folder, 60.0):
            now = int(number.read_text())
            number.write_text(str(now + 1))


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    """Threads open the file each for themselves, as processes do."""
    (tmp_path / "number").write_text("0")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: count_up(tmp_path, 20), range(4)))
    assert (tmp_path / "number").read_text() == "80"
