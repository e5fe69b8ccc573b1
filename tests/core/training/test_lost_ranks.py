"""Runs of which a process dies, wherever it is and whoever started it: slow tests.

``test_ddp.py`` has one of them that is fast.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.runs.folder import RunFolder
from tests.support.places import REPOSITORY, SUPPORT
from tests.support.runs import differences, outcome, run_data
from tests.support.two_nodes import Node, two_nodes

pytestmark = pytest.mark.slow

CRASHING = str(SUPPORT / "marl_that_crashes.py")
MARL = str(Path(sys.executable).with_name("marl"))
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, **more}


def config_file(path: Path, **training: Any) -> str:
    config = RunConfig.model_validate(run_data(**training))
    path.write_text(dump_run(config))
    return str(path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("whole")
    folder = RunFolder(path / "run")
    config = config_file(path / "run.yaml", devices=2)
    command = [MARL, "train", config, "--run-dir", str(folder.path)]
    subprocess.run(command, check=True, capture_output=True, env=environment())
    return folder


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and "episodes" not in line]


def processes_of(folder: RunFolder) -> list[str]:
    """Command lines of processes that train in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder.path) in command:
            found.append(command)
    return found


def none_is_left(folder: RunFolder) -> None:
    until = time.monotonic() + 5
    while processes_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_of(folder) == []


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("moment", ["0:KILL", "0:TERM", "4:KILL", "5:KILL:checkpoint"])
def test_a_killed_rank_is_one_line_and_no_process_is_left(
    tmp_path: Path, undisturbed: RunFolder, rank: int, moment: str
) -> None:
    folder = RunFolder(tmp_path / "run")
    config = config_file(tmp_path / "run.yaml", devices=2)
    done = subprocess.run(
        [sys.executable, CRASHING, "train", config, "--run-dir", str(folder.path)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(CRASH=f"{rank}:{moment}"),
        check=False,
    )
    assert done.returncode != 0
    assert len(lines_of(done.stderr)) == 1, done.stderr
    assert f"rank {rank}" in done.stderr or "interrupted" in done.stderr
    none_is_left(folder)
    resume = [MARL, "resume", str(folder.path)]
    subprocess.run(resume, check=True, capture_output=True, env=environment())
    assert differences(outcome(folder), outcome(undisturbed)) == []


def start_nodes(
    nodes: tuple[Node, Node], command: list[str], **more: str
) -> list[subprocess.Popen[str]]:
    """The same command on both machines, under torchrun."""
    started = []
    port = free_port()
    for rank, node in enumerate(nodes):
        launcher = [*node.prefix, *TORCHRUN, "--nnodes", "2", "--node-rank", str(rank)]
        launcher += ["--master-addr", nodes[0].address, "--master-port", port]
        launcher += ["--nproc-per-node", "1", "--max-restarts", "2"]
        started.append(
            subprocess.Popen(
                [*launcher, *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(**node.variables, **more),
            )
        )
    return started


@pytest.mark.parametrize("crash", [None, "0:5:KILL", "1:5:KILL", "1:0:KILL"])
def test_two_machines_train_what_one_does_and_an_elastic_restart_goes_on(
    tmp_path: Path, undisturbed: RunFolder, crash: str | None
) -> None:
    folder = RunFolder(tmp_path / "run")
    config = config_file(tmp_path / "run.yaml", num_nodes=2)
    command = [CRASHING, "train", config, "--run-dir", str(folder.path)]
    with two_nodes() as nodes:
        started = start_nodes(nodes, command, CRASH=crash or "9:9")
        ends = [process.communicate(timeout=240) for process in started]
    statuses = [process.returncode for process in started]
    assert statuses == [0, 0], ends
    said = "".join(err for _, err in ends)
    assert "Traceback" not in said
    assert ("has ended" in said) == (crash is not None and not crash.startswith("1:0"))
    assert differences(outcome(folder), outcome(undisturbed)) == []


def test_machines_without_common_files_are_refused_in_one_line(tmp_path: Path) -> None:
    """The second machine has begun the same run on its own disk, and is further."""
    config = config_file(tmp_path / "run.yaml", num_nodes=2)

    def both(first: str, second: str, crash: str) -> tuple[list[int], list[str]]:
        started = []
        port = free_port()
        for rank, name in enumerate((first, second)):
            command = [sys.executable, CRASHING, "train", config, "--resume"]
            command += ["--run-dir", str(tmp_path / name)]
            node = {"NODE_RANK": str(rank), "CRASH": crash}
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            started.append(
                subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=environment(**node, **address),
                )
            )
        said = "".join(process.communicate(timeout=120)[1] for process in started)
        return [process.returncode for process in started], lines_of(said)

    statuses, said = both("b", "b", "0:5:KILL")
    assert statuses == [-9, 1], said
    assert len(said) == 1
    assert "another process of the run has ended" in said[0]
    statuses, said = both("a", "b", "9:9")
    assert statuses == [2, 2], said
    assert len(said) == 1
    assert "rank 1 has another checkpoint than rank 0" in said[0]
    assert not RunFolder(tmp_path / "a").checkpoint.exists()
