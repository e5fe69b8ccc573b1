"""Runs killed from outside: at any moment, without warning."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.runs.folder import RunFolder
from tests.support.runs import differences, go_on, outcome, run_data, start

MARL = [sys.executable, "-c", "from marl_core.cli import main; main()"]


def long_run(updates: int, host: str = "ppo_ma") -> dict[str, Any]:
    """Two stages of ``updates`` updates; much of the time goes into checkpoints, so that many kills
    hit one.
    """
    return run_data(
        "pr_fast",
        (updates, updates),
        host,
        checkpoint_every=2,
        evaluate_every=20,
        tensorboard=True,
    )


def launch(*arguments: str | Path) -> subprocess.Popen[str]:
    # A session of its own: signals reach nobody else.
    return subprocess.Popen(
        [*MARL, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "MARL_RUN_DIR": ""},
    )


def train_or_resume(folder: RunFolder, config: Path) -> subprocess.Popen[str]:
    if folder.config_file.exists():
        return launch("resume", folder.path)
    return launch("train", "--config", config, "--run-dir", folder.path)


def wait_for_training(folder: RunFolder, process: subprocess.Popen[str]) -> None:
    """Return once this process has opened metrics.csv anew, which it does just before the first
    update.
    """
    before = folder.metrics.stat().st_ino if folder.metrics.exists() else None
    until = time.monotonic() + 60
    while not folder.metrics.exists() or folder.metrics.stat().st_ino == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def updates_saved(folder: RunFolder) -> int:
    saved = folder.load_checkpoint()
    return 0 if saved is None else int(saved["marl"]["progress"]["updates"])


def survive_kills(
    tmp_path: Path, updates: int, delays: list[float], host: str = "ppo_ma"
) -> list[str]:
    """Kill runs after each of the delays, counted from the first update, and see that they end as
    if they had lived.

    Returns:
        Where each kill struck.
    """
    whole = start(tmp_path / "whole", long_run(updates, host))
    go_on(whole)
    config = tmp_path / "run.yaml"
    config.write_text(dump_run(RunConfig.model_validate(long_run(updates, host))))
    folders, struck = [RunFolder(tmp_path / "killed")], []
    for delay in delays:
        if folders[-1].summary.exists():  # it has lived to its end: on to another one
            folders.append(RunFolder(tmp_path / f"killed{len(folders)}"))
        folder = folders[-1]
        process = train_or_resume(folder, config)
        wait_for_training(folder, process)
        time.sleep(delay)
        process.kill()
        process.communicate()
        writing = ", while writing" if any(folder.path.rglob("*.part")) else ""
        struck.append(
            f"{delay:.2f} s in, {updates_saved(folder)} updates saved{writing}: "
            f"{process.returncode}"
        )
    for folder in folders:
        go_on(folder)
        assert differences(outcome(folder), outcome(whole)) == []
    return struck


def died(struck: list[str]) -> int:
    """How many of the kills came in time."""
    return sum(kill.endswith(f": {-signal.SIGKILL}") for kill in struck)


@pytest.mark.parametrize(
    "host", ["ppo_ma", pytest.param("qmix", marks=pytest.mark.slow)]
)
def test_killed_twice(tmp_path: Path, host: str) -> None:
    delays = [random.Random(5).uniform(0.0, 0.4) for _ in range(2)]
    assert died(survive_kills(tmp_path, 60, delays, host)) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("host", ["ppo_ma", "qmix"])
def test_killed_twenty_times(tmp_path: Path, host: str) -> None:
    chance = random.Random(1)
    # The first strikes before the first checkpoint.
    struck = survive_kills(
        tmp_path, 200, [0.0, *(chance.uniform(0.0, 0.8) for _ in range(23))], host
    )
    print(*struck, sep="\n")
    assert " 0 updates saved" in struck[0]
    assert died(struck) >= 20


def test_control_c_is_one_line_and_resumable(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(dump_run(RunConfig.model_validate(long_run(2000))))
    folder = RunFolder(tmp_path / "run")
    process = launch("train", "--config", config, "--run-dir", folder.path)
    wait_for_training(folder, process)
    while updates_saved(folder) < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    messages = [line for line in err.splitlines() if line and "episodes" not in line]
    assert len(messages) == 1, err
    assert messages[0].startswith("marl: interrupted")
    saved = folder.load_checkpoint()
    assert saved is not None
    assert not torch.equal(
        saved["state_dict"]["host.head.layers.0.bias"], torch.zeros(8)
    )
