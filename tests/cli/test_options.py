"""Ways to call ``marl``: by module, by position, for help, version, completion and settings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marl_core.config.yaml_file import load_run
from marl_core.registry import names
from marl_core.runs.folder import RunFolder
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from tests.support.command import RUN, Command, refused
from tests.support.places import REPOSITORY


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; to be copied."""
    path = tmp_path_factory.mktemp("finished")
    (path / "run.yaml").write_text(RUN)
    folder = RunFolder(path / "run")
    folder.create(load_run(path / "run.yaml"))
    train(folder.load_config(), folder, Watchers(progress_bar=False))
    return folder.path


@pytest.fixture
def run(finished: Path, marl: Command) -> str:
    """A finished run beside which ``marl`` is called."""
    shutil.copytree(finished, marl.folder / "run")
    return "run"


def test_version(marl: Command) -> None:
    shown = marl("--version")
    assert shown.status == 0
    assert re.fullmatch(r"marl \d+\.\d+\.\d+\S*\n", shown.out)


@pytest.mark.parametrize("command", [(), ("train",), ("config", "show")])
def test_short_help(marl: Command, command: tuple[str, ...]) -> None:
    assert marl(*command, "-h") == marl(*command, "--help")
    assert "Usage: marl" in marl(*command, "-h").out


def test_completion_can_be_installed(marl: Command) -> None:
    assert "--install-completion" in marl("--help").out


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marl_core", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("marl ")


@pytest.mark.parametrize("command", [("config", "check"), ("config", "show")])
def test_a_config_by_its_place_or_as_an_option(
    marl: Command, command: tuple[str, ...]
) -> None:
    path = str(marl.write())
    placed = marl(*command, path)
    assert placed.status == 0
    assert placed == marl(*command, "--config", path) == marl(*command, "-c", path)
    two = refused(marl, *command, path, "--config", path)
    assert two.startswith("two configs are given")


def test_training_by_a_config_at_its_place(marl: Command) -> None:
    trained = marl("train", str(marl.write()), "--run-dir", "out")
    assert trained.status == 0, trained.err
    assert (marl.folder / "out" / "summary.json").exists()


def test_no_config_says_how(marl: Command) -> None:
    assert "marl train run.yaml" in marl("train").err.replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ppo_ma", {"learning_rate": "0.0005", "clip": "0.2"}),
        ("fme", {"agents": "needed", "actions": "10"}),
        ("policy_resonance", {"eta_max": "0.75", "individual": "-"}),
        ("training", {"compile": "false", "evaluate_every": "32", "threads": "-"}),
        ("stages", {"episodes": "needed"}),
        ("run", {"seed": "0", "environment": "needed", "loggers": "[]"}),
    ],
)
def test_list_settings(marl: Command, name: str, settings: dict[str, str]) -> None:
    shown = marl("list", name)
    assert shown.status == 0
    rows = [line.strip("│").split("│") for line in shown.out.splitlines()]
    cells = {row[0].strip(): [c.strip() for c in row[1:]] for row in rows}
    for setting, default in settings.items():
        assert cells[setting][0] == default
        assert cells[setting][1], "a setting needs a description"


def test_every_part_can_be_listed(marl: Command) -> None:
    for kind in ("environment", "host", "policy", "coupling"):
        for name in names(kind):
            assert f"{kind} {name}" in marl("list", name).out


def test_list_of_what_is_not_there(marl: Command) -> None:
    line = refused(marl, "list", "ppo_mb")
    assert line == "there is no 'ppo_mb' to list, did you mean 'ppo_ma'?"


def test_resuming_a_finished_run_says_so(marl: Command, run: str) -> None:
    resumed = marl("resume", run)
    assert resumed.status == 0
    assert resumed.err == "run: this run is finished; nothing was left to train\n"
    assert "run folder: run" in resumed.out


def test_evaluating_an_unfinished_run_says_so(marl: Command, run: str) -> None:
    assert marl("evaluate", run).err == ""
    (marl.folder / run / "summary.json").unlink()
    evaluated = marl("evaluate", run, "--json")
    assert evaluated.status == 0
    assert json.loads(evaluated.out)["episodes"] == 192
    assert evaluated.err == (
        "run: this run is not finished: its checkpoint is of 64 of 64 episodes\n"
    )


def test_numbers_of_one_seed_say_so_and_name_the_cpu(marl: Command, run: str) -> None:
    summary = json.loads((marl.folder / run / "summary.json").read_text())
    shown = " ".join(marl("resume", run).out.split())
    assert f"seed 0, made on {summary['cpu']}" in shown
    assert "other seeds and other CPUs give other numbers" in shown


def test_exact_values_are_rounded(marl: Command, run: str) -> None:
    exact = json.loads((marl.folder / run / "summary.json").read_text())["return"]
    shown = marl("evaluate", run).out
    assert f"{exact['exact']:.4f}" in shown
    assert not re.search(r"\d\.\d{5}", shown)


def test_a_run_says_what_it_was_made_with(marl: Command, run: str) -> None:
    versions = json.loads((marl.folder / run / "versions.json").read_text())
    assert versions["cpu"]
    assert versions["cpus"] >= 1
    assert versions["threads"] >= 1
    assert isinstance(versions["gpus"], list)
    assert {"policy-resonance", "torch", "lightning", "numpy", "pydantic"} <= set(
        versions["packages"]
    )


def test_what_the_commands_of_the_readme_write_is_ignored_by_git() -> None:
    """Else every later run would say that there were uncommitted changes."""
    text = (REPOSITORY / "README.md").read_text()
    written = re.findall(r"--out (\S+)|marl .* > (\S+)", text)
    paths = [path for pair in written for path in pair if path]
    assert paths
    runs = ["runs/fme_pr-seed0/config.yaml", "learning_curve.png"]
    for path in [*paths, *runs]:
        done = subprocess.run(
            ["git", "check-ignore", "--quiet", path], cwd=REPOSITORY, check=False
        )
        assert done.returncode == 0, path
