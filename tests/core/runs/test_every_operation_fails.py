"""Every file operation of a run fails in turn, as in SQLite's tests; the run goes on bit-equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marl_core.runs.folder import RunFolder
from tests.support.fault_tries import STATUS, everything, tiny_config
from tests.support.faults import Kind
from tests.support.places import REPOSITORY, SUPPORT
from tests.support.runs import differences

pytestmark = pytest.mark.slow

KINDS: tuple[Kind, ...] = ("kill", "full", "eio", "int")
HOSTS = ("ppo_ma", "qmix", "conc4hist")


#: The run that goes on from a damaged checkpoint reads what others only write.
CASES = [
    *((host, kind, "train") for host in HOSTS for kind in KINDS),
    *(("ppo_ma", kind, "resume") for kind in KINDS),
]


@pytest.mark.parametrize(("host", "kind", "scenario"), CASES)
def test_of_one_process(host: str, kind: Kind, scenario: str, tmp_path: Path) -> None:
    program = ("-m", "tests.support.every_fault")
    done = _python(*program, tmp_path, host, kind, scenario, timeout=3600)
    assert done.returncode == 0, done.stderr
    *wrong, said = done.stdout.splitlines()
    print(f"{host}, {kind}, {scenario}: {said}")
    assert wrong == []
    counts = json.loads(said)
    assert counts["by status"][str(STATUS[kind])] > counts["tries"] // 3


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_processes(tmp_path: Path, kind: Kind) -> None:
    """A sample of the operations of rank 0, and of those of rank 1."""
    config = tiny_config(tmp_path / "run.yaml", "ppo_ma", devices=2, strategy="ddp")
    whole = RunFolder(tmp_path / "whole")
    log = tmp_path / "operations.txt"
    _two(config, whole.path, "none", 0, log)
    names = log.read_text().splitlines()
    expected = everything(whole)
    failures: list[str] = []
    chosen = range(1, len(names) + 1, max(1, len(names) // 6))
    for at in chosen:
        folder = RunFolder(tmp_path / f"run{at}")
        done = _two(config, folder.path, kind, at, log)
        if done.returncode == 0 and kind in ("kill", "int"):
            failures.append(f"{at} {names[at - 1]}: nothing happened")
        if folder.config_file.exists():
            healed_by = _marl("resume", folder.path)
        else:
            healed_by = _marl("train", config, "--run-dir", folder.path)
        wrong = [healed_by.stderr[-500:]] if healed_by.returncode else []
        wrong += differences(everything(folder), expected) if not wrong else []
        failures += [f"{at} {names[at - 1]}: {what}" for what in wrong]
    print(f"two processes, {kind}: {len(chosen)} tries")
    assert failures == []


def _two(
    config: Path, folder: Path, kind: Kind, at: int, log: Path
) -> subprocess.CompletedProcess[str]:
    fault = {
        "FAULT": f"{kind}:{at}",
        "FAULT_FOLDER": str(folder),
        "FAULT_LOG": str(log),
    }
    return _marl("train", config, "--run-dir", folder, **fault)


def _marl(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    script = SUPPORT / "marl_with_a_fault.py"
    return _python(script, *arguments, timeout=300, **variables)


def _python(
    *arguments: str | Path, timeout: float, **variables: str
) -> subprocess.CompletedProcess[str]:
    ranks = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MARL_RUN_DIR")
    kept: dict[str, Any] = {k: v for k, v in os.environ.items() if k not in ranks}
    path = os.pathsep.join([str(REPOSITORY), kept.pop("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=REPOSITORY,
        env={**kept, "PYTHONPATH": path, **variables},
        check=False,
    )
