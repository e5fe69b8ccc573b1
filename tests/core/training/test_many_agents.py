"""A thousand agents train in bounded memory, which does not grow with the length of training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import EXAMPLES

pytestmark = pytest.mark.slow

AGENTS = 1000
#: Torch alone takes some 300. Measured: 670 MB after 8 updates, 685 MB after 24.
MOST_MEGABYTES = 900
MOST_FILES = 12


def _peak_megabytes(run: Path, updates: int) -> float:
    """The most memory of a run of two stages, in a process that only watches it."""
    episodes = 512 * updates
    settings = (
        f"environment.agents={AGENTS}",
        f"stages.0.episodes={episodes}",
        f"stages.1.episodes={episodes}",
        "stages.1.exploration.p_min=0.01",
    )
    command = [sys.executable, "-m", "marl_core", "train", "--config"]
    command += [str(EXAMPLES / "fme_pr.yaml"), "--run-dir", str(run)]
    command += [f"--set={setting}" for setting in settings]
    watching = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", watching, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1024


def test_a_thousand_agents(tmp_path: Path) -> None:
    short = _peak_megabytes(tmp_path / "short", 2)
    long = _peak_megabytes(tmp_path / "long", 8)
    assert long < MOST_MEGABYTES
    assert long < short + 60
    for run in tmp_path.iterdir():
        assert (run / "summary.json").is_file()
        assert sum(path.is_file() for path in run.rglob("*")) <= MOST_FILES
