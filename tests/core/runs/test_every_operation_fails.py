"""Every file operation of a run fails in turn, as in SQLite's tests; the run goes on bit-equal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from marl_core.runs.folder import RunFolder
from tests.support.fault_tries import (
    STATUS,
    complaints,
    everything,
    healed,
    marl,
    operations,
    prepare,
    tiny_config,
)
from tests.support.faults import Fault, Kind
from tests.support.places import REPOSITORY, SUPPORT
from tests.support.runs import differences

pytestmark = pytest.mark.slow

KINDS: tuple[Kind, ...] = ("kill", "full", "eio", "int")
HOSTS = ("ppo_ma", "qmix", "conc4hist")


@pytest.fixture(scope="module", params=HOSTS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a config and the run, undisturbed, that it gives."""
    prepare()
    path: Path = tmp_path_factory.mktemp(str(request.param))
    config = tiny_config(path / "run.yaml", request.param, tensorboard=False)
    assert marl(None, "train", config, "--run-dir", path / "whole").status == 0
    return path


def tries(
    place: Path, kind: Kind, arguments: Sequence[str | Path], before: Path | None
) -> Iterator[tuple[str, list[str]]]:
    """Each operation of a command, and what was wrong when it had failed.

    Args:
        place: holds the config and the undisturbed run.
        kind: what happens at the operation.
        arguments: of the command; its run folder is ``place / "run"``.
        before: the run folder as it is before the command; None: there is none.
    """
    folder = RunFolder(place / "run")
    whole = everything(RunFolder(place / "whole"))
    _restore(folder, before)
    names = operations(folder.path, *arguments)
    for at, name in enumerate(names, start=1):
        _restore(folder, before)
        ended = marl(Fault(folder.path, kind, at), *arguments)
        wrong = complaints(kind, ended)
        wrong += healed(folder, place / "run.yaml", whole)
        yield f"{at} {name}: {ended.status}", wrong


def _restore(folder: RunFolder, before: Path | None) -> None:
    shutil.rmtree(folder.path, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, folder.path)


def judged(found: Iterator[tuple[str, list[str]]], kind: Kind) -> None:
    """See that nothing was wrong, and say how often the fault struck."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for name, wrong in found:
        counts[name.rpartition(" ")[2]] += 1
        failures += [f"{name}: {what}" for what in wrong]
    print(f"{kind}: {counts.total()} tries, by status {json.dumps(counts)}")
    assert failures == []
    assert counts[str(STATUS[kind])] > counts.total() // 3


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_run_from_its_start(place: Path, kind: Kind) -> None:
    command = ("train", place / "run.yaml", "--run-dir", place / "run")
    judged(tries(place, kind, command, None), kind)


@pytest.mark.parametrize("kind", ["kill", "eio"])
def test_of_a_run_that_goes_on_from_a_damaged_checkpoint(
    place: Path, kind: Kind
) -> None:
    """It was killed with two checkpoints; the newest one has a bit flipped."""
    before = place / "damaged"
    if not before.exists():
        _prepare_damaged(place, before)
    judged(tries(place, kind, ("resume", place / "run"), before), kind)


def _prepare_damaged(place: Path, before: Path) -> None:
    command = ("train", place / "run.yaml", "--run-dir", before)
    names = operations(place / "damaged", *command)
    third = [at for at, name in enumerate(names, 1) if name.startswith("rename")]
    shutil.rmtree(before)
    summary = third[-1]
    assert marl(Fault(before, "kill", summary), *command).status == STATUS["kill"]
    newest = RunFolder(before).checkpoint
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)


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
    chosen = range(1, len(names) + 1, max(1, len(names) // 8))
    for at in chosen:
        folder = RunFolder(tmp_path / f"run{at}")
        done = _two(config, folder.path, kind, at, log)
        if done.returncode == 0:
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
    ranks = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MARL_RUN_DIR")
    kept: dict[str, Any] = {k: v for k, v in os.environ.items() if k not in ranks}
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=REPOSITORY,
        env={**kept, "PYTHONPATH": str(REPOSITORY), **variables},
        check=False,
    )
