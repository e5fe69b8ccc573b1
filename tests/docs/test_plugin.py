"""The example of a package of one's own installs, is found, trains, and keeps the protocols."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.places import EXAMPLES

pytestmark = pytest.mark.slow

PLUGIN = EXAMPLES / "plugin"


def _call(folder: Path, *command: str | Path) -> str:
    """Run a program in a folder. It finds nothing there that is not installed."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**known, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that has what this one has, and the plugin; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("plugin")
    path = folder / "environment"
    _call(folder, sys.executable, "-m", "venv", "--without-pip", path)
    program = path / "bin" / "python"
    (site,) = path.glob("lib/python*/site-packages")
    # This one's packages, and what its own path files add.
    here = sysconfig.get_path("purelib")
    (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    copy = folder / "package"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(PLUGIN, copy, ignore=ignore)
    pip = (program, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    _call(folder, *pip, "--no-build-isolation", copy)
    return program


def test_its_parts_are_listed(python: Path, tmp_path: Path) -> None:
    listed = _call(tmp_path, python, "-m", "marl_core", "list")
    found = {
        tuple(line.split("│")[1:3])
        for line in listed.splitlines()
        if "marl_harbour" in line
    }
    named = {(kind.strip(), name.strip()) for kind, name in found}
    assert named >= {
        ("environment", "harbour"),
        ("host", "linear_reinforce"),
        ("policy", "mixed_softmax"),
        ("coupling", "mirrored"),
        ("exploration", "harbour_watch"),
    }
    assert "command" in listed


def test_it_trains_and_its_command_answers(python: Path, tmp_path: Path) -> None:
    short = ("--set=stages.0.episodes=256", "--set=stages.1.episodes=256")
    run = ("--run-dir", "run", *short)
    _call(tmp_path, python, "-m", "marl_core", "train", PLUGIN / "harbour.yaml", *run)
    said = _call(tmp_path, python, "-m", "marl_core", "harbour", "run")
    assert "of 200 ships are moored" in said
    _call(tmp_path, python, "-m", "marl_core", "export", "run", "--out", "team.pt2")


def test_its_own_tests_pass(python: Path, tmp_path: Path) -> None:
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests")
    _call(tmp_path, python, *tests, "-c", "/dev/null", "--rootdir", tmp_path)
