"""Compiled losses: the same numbers as eager ones, and a line where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import REPOSITORY

RUN = [sys.executable, "-m", "tests.support.compiled_run"]


def compiled_run(
    folder: Path, second: str, backend: str, *compiler: str
) -> subprocess.CompletedProcess[str]:
    """What ``compiled_run.py`` prints, with a cache of its own."""
    return subprocess.run(
        [*RUN, str(folder), second, backend, *compiler],
        cwd=REPOSITORY,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="no C++ compiler",
)
@pytest.mark.parametrize(
    "second", ["pr", pytest.param("pr_fast", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)]
)
def test_compiled_losses_teach_what_eager_ones_do(
    second: str, backend: str, tmp_path: Path
) -> None:
    """In two stages of the same networks, and where each agent has a head of its own.

    ``aot_eager`` traces losses and their gradients just as ``inductor`` does, which then spends
    half a minute on writing and compiling C++.
    """
    done = compiled_run(tmp_path, second, backend)
    assert done.returncode == 0, done.stderr
    # Twelve steps of Adam at up to 5e-3 each; rounding alone stays far below a single one.
    assert float(done.stdout.splitlines()[-1]) < 1e-4


def test_no_compiler_is_told_in_a_line(tmp_path: Path) -> None:
    done = compiled_run(tmp_path, "pr", "inductor", "no-such-compiler")
    assert (
        "UserError: training.compile: torch cannot compile the losses: "
        in done.stderr.splitlines()[-1]
    )
