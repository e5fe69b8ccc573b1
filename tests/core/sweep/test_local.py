"""Sweeps in processes of their own, which end in every way that processes end."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.sweep import Job, run_sweep
from marl_core.sweep.jobs import is_done
from tests.support.places import REPOSITORY
from tests.support.runs import differences, go_on, outcome
from tests.support.sweep_command import sweep_jobs
from tests.support.sweeps import chain, config, mortal_config

#: Seconds for what takes one, on a machine that is busy.
_PATIENCE = 60.0


@pytest.fixture(autouse=True)
def modules_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        yield
    sys.modules.pop("mortal", None)


def test_whatever_happens_to_some_jobs_the_others_finish(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mortal = {
        end: mortal_config(tmp_path, end)
        for end in ("raise", "sys.exit", "exit", "kill")
    }
    jobs = [
        *(
            Job(end, run.model_copy(update={"stages": run.stages[:1]}))
            for end, run in mortal.items()
        ),
        Job("orphan", mortal["raise"], "raise"),
        Job(
            "orphan's orphan",
            mortal["raise"].model_copy(update={"stages": mortal["raise"].stages * 2}),
            "orphan",
        ),
        *chain(3),
    ]
    runs = tmp_path / "runs"
    expected = {
        "raise": "RuntimeError: mortal, and dead",
        "sys.exit": "KeyboardInterrupt",
        "exit": "its worker process ended (exit status 3)",
        "kill": "its worker process was killed (SIGKILL, perhaps for want of memory)",
        "orphan": "it continues 'raise', which failed",
        "orphan's orphan": "it continues 'orphan', which failed",
    }
    assert run_sweep(jobs, runs, workers=2) == expected
    shown = capfd.readouterr()
    assert shown.out == ""
    for name, line in expected.items():
        assert f"{name}: {line}\n" in shown.err
    assert "2/8 jobs" in shown.err
    assert re.search(r"one-3: done, [12]/8 jobs, \d+:\d\d:\d\d left\n", shown.err)
    assert "6 failed" in shown.err
    (tmp_path / "healed").touch()
    assert run_sweep(jobs, runs, workers=1, show_progress=False) == {}
    assert capfd.readouterr() == ("", "")
    assert all(is_done(job.config, RunFolder(runs / job.name)) for job in jobs)
    whole = RunFolder(tmp_path / "whole")
    whole.create(config(stages=2))
    go_on(whole)
    assert differences(outcome(RunFolder(runs / "two-3")), outcome(whole)) == []


def test_a_missing_guard_is_said(tmp_path: Path) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(
        "from pathlib import Path\n"
        "from marl_core.errors import UserError\n"
        "from marl_core.sweep import run_sweep\n"
        "from tests.support.sweeps import chain\n"
        "try:\n"
        "    run_sweep(chain(3), Path('runs'), workers=1)\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert "if __name__ == '__main__'" in done.stdout


@contextmanager
def launched(folder: Path, updates: int) -> Iterator[subprocess.Popen[str]]:
    """A sweep with two workers, in a session of its own: signals reach nobody else."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.support.sweep_command",
            str(folder),
            "2",
            str(updates),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=REPOSITORY,
    )
    try:
        yield process
    finally:
        process.kill()  # at the latest
        process.communicate()


def group(process: subprocess.Popen[str]) -> list[int]:
    """The living processes of a launched sweep's session, without the sweep itself.

    Zombies count as dead.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (
                (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            )
        except OSError:
            continue
        if int(session) == process.pid != int(entry.name) and state != "Z":
            found.append(int(entry.name))
    return found


def wait_until_gone(process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + _PATIENCE
    while group(process):
        assert time.monotonic() < until, "the sweep has left workers behind"
        time.sleep(0.05)


def wait_for_training(folder: Path, process: subprocess.Popen[str]) -> None:
    """Return once a run is being trained."""
    until = time.monotonic() + 5 * _PATIENCE
    while not any(folder.glob("*/lock")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def forget_locks(folder: Path) -> None:
    """The files of locks that were held when the sweep was killed, so that new ones can be told."""
    for lock in folder.glob("*/lock"):
        lock.unlink()


def survive_kills(tmp_path: Path, updates: int, delays: list[float]) -> int:
    """Kill a sweep after each of the delays, then let it go on to its end.

    The delays are counted from the start of the first run.

    Returns:
        How many kills came in time.
    """
    for job in sweep_jobs(updates):
        whole = RunFolder(tmp_path / "whole" / job.name)
        whole.create(job.config)
        go_on(whole)
    folder, died = tmp_path / "killed", 0
    for delay in delays:
        with launched(folder, updates) as process:
            wait_for_training(folder, process)
            time.sleep(delay)
        died += process.returncode == -signal.SIGKILL
        wait_until_gone(process)
        forget_locks(folder)
    assert run_sweep(sweep_jobs(updates), folder, show_progress=False) == {}
    for job in sweep_jobs(updates):
        one, other = (
            outcome(RunFolder(tmp_path / which / job.name))
            for which in ("killed", "whole")
        )
        assert differences(one, other) == []
    return died


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds processes in /proc"
)


@needs_proc
@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    delays = [random.Random(5).uniform(0.2, 1.0) for _ in range(2)]
    assert (
        survive_kills(tmp_path, 300, delays) == 2
    )  # still at work then, on an idle machine too


@needs_proc
@pytest.mark.slow
def test_killed_fifteen_times(tmp_path: Path) -> None:
    chance = random.Random(1)
    assert (
        survive_kills(
            tmp_path, 900, [0.0, *(chance.uniform(0.0, 1.2) for _ in range(14))]
        )
        >= 10
    )


@needs_proc
def test_control_c_ends_all_workers(tmp_path: Path) -> None:
    with launched(tmp_path, 2000) as process:
        wait_for_training(tmp_path, process)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 130, err
    assert out == ""
    messages = [
        line
        for line in err.splitlines()
        if line.strip() and not line.startswith("0/3 jobs ")
    ]
    assert messages == [
        "marl: interrupted, 0 of 3 jobs are done; the same command goes on from there"
    ]
    wait_until_gone(process)


def test_broken_workers_are_a_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules["__main__"],
        "__file__",
        str(tmp_path / "not_there.py"),
        raising=False,
    )
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    with pytest.raises(UserError, match="the sweep's workers cannot start"):
        run_sweep([Job("a", config())], tmp_path, show_progress=False)
