"""Runs that meet a fault, each in a process of its own, and what became of them.

A process that has imported everything forks for each try, so that hundreds are affordable.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from marl_core.cli import main
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.runs.folder import RunFolder
from tests.support.faults import Fault, Kind, injected
from tests.support.runs import differences, outcome, run_data

_SECONDS = 120.0
_LIBRARIES = (
    "marl_core.api.run",
    "marl_core.api.training",
    "marl_core.cli.app",
    "marl_core.cli.printing",
    "marl_envs.fme",
    "marl_pr.coupling",
)
_NOTE = "the checkpoint before it, is used"
#: How a command may end that has met a fault.
STATUS: dict[Kind, int] = {
    "none": 0,
    "kill": -int(signal.SIGKILL),
    "full": 2,
    "eio": 2,
    "int": 130,
}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said on standard error."""

    status: int
    said: str


def tiny_config(path: Path, host: str, **training: Any) -> Path:
    """A run of two stages, which writes every kind of file that a run may write."""
    often = {"checkpoint_every": 1, "evaluate_every": 2, "log_every": 1}
    data = run_data("pr_fast", (2, 1), host, **often, record_policies=True, **training)
    path.write_text(dump_run(RunConfig.model_validate(data)))
    return path


def marl(fault: Fault | None, *arguments: str | Path) -> Ended:
    """Run ``marl`` in a process of its own, which meets a fault."""
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _be_marl(fault, said.fileno(), [str(argument) for argument in arguments])
        status = _wait(child)
        said.seek(0)
        return Ended(status, said.read().decode(errors="replace"))


def _be_marl(fault: Fault | None, said: int, arguments: list[str]) -> None:
    """The life of the child."""
    status = 99
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(said, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        sys.argv = ["marl", *arguments]
        status = _status_of_marl(fault)
        sys.stderr.flush()
    finally:
        os._exit(status)


def _status_of_marl(fault: Fault | None) -> int:
    try:
        with injected(fault or Fault(Path("/nowhere"))):
            main()
    except SystemExit as error:
        return (
            error.code if isinstance(error.code, int) else int(error.code is not None)
        )
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _wait(child: int) -> int:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124


def operations(folder: Path, *arguments: str | Path) -> list[str]:
    """All operations of a command that meets no fault."""
    log = folder.with_name("operations.txt")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        fault = Fault(folder)
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["marl", *map(str, arguments)]
            status = _status_of_marl(fault)
            log.write_text("\n".join(fault.operations))
        finally:
            os._exit(status)
    os.close(write)
    os.close(read)
    assert _wait(child) == 0
    return log.read_text().splitlines()


def complaints(kind: Kind, ended: Ended, *, notes: bool = False) -> list[str]:
    """What is wrong with how a command ended.

    Args:
        kind: what has happened to it.
        ended: how it ended.
        notes: whether a line may say that the newest checkpoint is damaged.
    """
    found = []
    lines = [line for line in ended.said.splitlines() if "episodes," not in line]
    if notes:
        others = [line for line in lines if _NOTE not in line]
        if ended.status == 0 and len(lines) - len(others) != 1:
            found.append("it is not said once which checkpoint is used")
        lines = others
    if ended.status == 0:
        return found  # it could do without
    if ended.status != STATUS[kind]:
        found.append(f"status {ended.status}")
    expected = 0 if kind == "kill" else 1
    if len(lines) != expected:
        found.append(f"{len(lines)} lines: {ended.said[-2000:]}")
    return found


def healed(folder: RunFolder, config: Path, whole: dict[str, Any]) -> list[str]:
    """Go on with a run without a fault, and what is wrong then."""
    begun = folder.config_file.exists()
    fresh = ("train", config, "--run-dir", folder.path)
    ended = marl(None, *(("resume", folder.path) if begun else fresh))
    if ended.status != 0:
        return [f"it does not go on: status {ended.status}, {ended.said[-500:]}"]
    found = differences(everything(folder), whole)
    left = [str(path) for path in folder.path.rglob("*.part")]
    return found + [f"{path} is left" for path in left]


def everything(folder: RunFolder) -> dict[str, Any]:
    """All that a finished run leaves, but for times and versions."""
    kept = {file.name: file.read_bytes() for file in folder.policies_folder.glob("*")}
    return {**outcome(folder), "policies": dict(sorted(kept.items()))}


def prepare() -> None:
    """Import what a run needs, before the first fork."""
    for module in _LIBRARIES:
        import_module(module)
    torch.set_num_threads(1)
