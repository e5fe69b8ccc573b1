"""What is built installs into an empty environment, and runs README's example without the
repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.places import EXAMPLES, REPOSITORY

pytestmark = pytest.mark.slow

CONSTRAINTS = REPOSITORY / "constraints.txt"
#: README's example, cut short.
TRAIN = (
    "train",
    "--config",
    "examples/fme_pr.yaml",
    "--set=stages.0.episodes=4096",
    "--set=stages.1.episodes=4096",
    "--run-dir=run",
)


def _call(folder: Path, *command: str | Path) -> str:
    """Run a program in a folder, knowing nothing of the repository."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(path: Path) -> Path:
    """The folder of programs of a new virtual environment."""
    _call(path.parent, sys.executable, "-m", "venv", path)
    return path / "bin"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source distribution and the wheel that is made of it.

    They are made of what git knows, in a copy.
    """
    folder = tmp_path_factory.mktemp("built")
    clone = folder / "clone"
    _call(folder, "git", "clone", "--quiet", REPOSITORY, clone)
    programs = _environment(folder / "builder")
    _call(folder, programs / "pip", "install", "--quiet", "build")
    dist = folder / "dist"
    _call(folder, programs / "python", "-m", "build", "--outdir", dist, clone)
    return dist


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_readmes_example_runs_without_the_repository(
    kind: str, built: Path, tmp_path: Path
) -> None:
    (file,) = built.glob(kind)
    programs = _environment(tmp_path / "environment")
    pip = (programs / "pip", "install", "--quiet", "-c", CONSTRAINTS)
    _call(tmp_path, *pip, file)
    place = (programs / "python", "-c", "import marl_pr; print(marl_pr.__file__)")
    assert _call(tmp_path, *place).startswith(str(tmp_path))

    _call(tmp_path, programs / "marl", "examples", "--to", "examples")
    copied = {path.name for path in (tmp_path / "examples").iterdir()}
    assert copied == {path.name for path in EXAMPLES.glob("*.*")} | {"plugin"}
    assert (tmp_path / "examples/plugin/pyproject.toml").exists()
    assert "return" in _call(tmp_path, programs / "marl", *TRAIN)
    _call(tmp_path, programs / "marl", "report", "run")
    _call(tmp_path, programs / "marl", "render", "run", "--out=fme.html")
    assert (tmp_path / "learning_curve.png").stat().st_size > 0
    assert (tmp_path / "fme.html").stat().st_size > 0


def test_the_wheel_holds_every_file_of_the_source(built: Path) -> None:
    (file,) = built.glob("*.whl")
    tracked = _call(REPOSITORY, "git", "ls-files", "src").split()
    sources = {name.removeprefix("src/") for name in tracked} - {"marl_pr/examples"}
    kept = _call(EXAMPLES, "git", "ls-files", ".").split()
    examples = {f"marl_pr/examples/{name}" for name in kept}
    with ZipFile(file) as archive:
        names = set(archive.namelist())
    assert sources | examples <= names


def test_the_source_distribution_holds_what_a_build_needs(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        links = [member.name for member in archive if member.issym()]
    assert not links
    assert {"LICENSE", "README.md", "pyproject.toml", "constraints.txt"} <= names
    kept = _call(EXAMPLES, "git", "ls-files", ".").split()
    assert {f"src/marl_pr/examples/{name}" for name in kept} <= names
    assert not any(name.startswith("tests/") for name in names)
