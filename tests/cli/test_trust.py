"""Run folders of others are data: what they name is run on one's word alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from marl_core import load
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from tests.support.command import Command
from tests.support.own_code import as_in_a_new_process, imports, trained, write_module


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with somebody's module, and the run that was made by it."""
    folder = tmp_path_factory.mktemp("theirs")
    trained(folder, folder / "run")
    (folder / "imported").unlink()
    return folder


@pytest.fixture
def theirs(kept: Path, marl: Command) -> Path:
    """A copy of it, and of the module wherever else it could be found."""
    folder = marl.folder / "theirs"
    shutil.copytree(kept, folder)
    run = RunFolder(folder / "run")
    said = json.loads(run.versions.read_text())
    said["modules"] = [str(folder)]
    moved = {str(folder / Path(f).name): h for f, h in said["sources"]["mine"].items()}
    said["sources"]["mine"] = moved
    run.versions.write_text(json.dumps(said))
    for place in (run.path, marl.folder):
        write_module(place)
    return folder


def _imports(theirs: Path) -> int:
    return sum(map(imports, (theirs, theirs / "run", theirs.parent)))


COMMANDS = {
    "resume": ("resume", "theirs/run"),
    "evaluate": ("evaluate", "theirs/run", "--episodes", "4"),
    "render": ("render", "theirs/run", "--out", "page.html"),
    "export": ("export", "theirs/run", "--out", "team.pt2"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_code_of_others_is_not_run_unasked(
    marl: Command, theirs: Path, command: str
) -> None:
    with as_in_a_new_process():
        outcome = marl(*COMMANDS[command])
        assert _imports(theirs) == 0
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    place = "theirs/run/config.yaml:3: environment.name: 'mine:Mine' is code"
    assert outcome.err.startswith(place)
    assert "--trust" in outcome.err


@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        pytest.param("resume", marks=pytest.mark.slow),
        pytest.param("render", marks=pytest.mark.slow),
        pytest.param("export", marks=pytest.mark.slow),
    ],
)
def test_it_is_run_where_one_says_so(marl: Command, theirs: Path, command: str) -> None:
    with as_in_a_new_process():
        outcome = marl(*COMMANDS[command], "--trust")
    assert outcome.status == 0, outcome.err
    assert _imports(theirs) == 1


def test_the_word_may_be_given_in_the_environment(
    marl: Command, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARL_TRUST", "1")
    with as_in_a_new_process():
        assert marl(*COMMANDS["evaluate"]).status == 0


@pytest.mark.parametrize("trust", [(), ("--trust",)])
def test_a_report_needs_no_code(
    marl: Command, theirs: Path, trust: tuple[str, ...]
) -> None:
    with as_in_a_new_process():
        outcome = marl("report", "theirs/run", "--tidy", "t.csv", *trust)
    assert outcome.status == 0, outcome.err
    assert "ppo_ma on mine:Mine" in outcome.out
    assert "exact C levels" in outcome.out or "levels C" in outcome.out
    assert "mine:Mine" in (marl.folder / "t.csv").read_text()
    assert _imports(theirs) == len(trust)


def test_a_checkpoint_names_no_code_either(marl: Command, theirs: Path) -> None:
    """It holds a config, with which that of the folder is compared."""
    run = RunFolder(theirs / "run")
    text = run.config_file.read_text().replace("mine:Mine", "fme")
    run.config_file.write_text(text)
    with as_in_a_new_process():
        assert marl("resume", "theirs/run").status == 2
        assert _imports(theirs) == 0


def test_training_into_it_looks_at_data_alone(marl: Command, theirs: Path) -> None:
    with as_in_a_new_process():
        outcome = marl("train", str(marl.write()), "--run-dir", "theirs/run")
        assert _imports(theirs) == 0
    assert "another run here already" in outcome.err


@pytest.mark.parametrize("part", ["loggers", "callbacks"])
def test_what_watches_is_code_too(marl: Command, theirs: Path, part: str) -> None:
    run = RunFolder(theirs / "run")
    text = run.config_file.read_text().replace("mine:Mine", "fme")
    text = text.replace(f"{part}: []", f"{part}: [{{name: 'mine:Mine'}}]")
    assert "mine:Mine" in text
    run.config_file.write_text(text)
    with as_in_a_new_process():
        for command in (COMMANDS["resume"], COMMANDS["evaluate"]):
            outcome = marl(*command)
            assert outcome.status == 2
            assert f"{part}.0.name: 'mine:Mine' is code" in outcome.err
        assert _imports(theirs) == 0


@pytest.mark.parametrize(
    "name",
    ["os:system", "builtins:exec", "builtins:breakpoint", "json:loads", "mine:write"],
)
def test_functions_are_code_wherever_they_come_from(
    marl: Command, theirs: Path, name: str
) -> None:
    run = RunFolder(theirs / "run")
    run.config_file.write_text(run.config_file.read_text().replace("mine:Mine", name))
    with as_in_a_new_process():
        outcome = marl(*COMMANDS["evaluate"])
    assert outcome.status == 2
    assert f"'{name}' is code" in outcome.err


def test_python_asks_the_same(theirs: Path) -> None:
    with as_in_a_new_process():
        with pytest.raises(UserError, match=r"trust=True in Python"):
            load(theirs / "run")
        assert _imports(theirs) == 0
        run = load(theirs / "run", trust=True)
        assert run.config.environment.name == "mine:Mine"
        # What is imported already runs nothing new.
        assert load(theirs / "run").evaluate(2)["return"].greedy.mean > 0


class Opens:
    """What a pickle would do."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, ("unpickled", "w")


@pytest.mark.parametrize("place", ["last.ckpt", "start.pt"])
def test_nothing_is_unpickled(marl: Command, theirs: Path, place: str) -> None:
    run = RunFolder(theirs / "run")
    text = run.config_file.read_text().replace("mine:Mine", "fme")
    run.config_file.write_text(text)
    for file in run.checkpoint.parent.iterdir():
        file.unlink()
    torch.save({"state_dict": Opens()}, run.checkpoint.parent / place)
    outcome = marl("resume", "theirs/run")
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert not (marl.folder / "unpickled").exists()
